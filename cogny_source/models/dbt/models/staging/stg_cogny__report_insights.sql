-- One row for each insight of a report's content.
select report_id, section_position, position, type, content, confidence
from {{ loaded('report_insights') }} as insights
