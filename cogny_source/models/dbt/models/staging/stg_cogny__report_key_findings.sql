-- One row for each key finding of a report's summary.
select report_id, position, value as key_finding
from {{ loaded('reports__summary__key_findings') }} as findings
