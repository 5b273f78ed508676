-- One row for each version of a report that a sync has seen; none where the dataset keeps no history.
select id as report_id, updated_at, status, completed_at
from {{ loaded('reports_history') }} as history
