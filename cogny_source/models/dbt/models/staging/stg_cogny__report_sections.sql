-- One row for each section of a report's content.
select report_id, position, title, content, visualizations, queries
from {{ loaded('report_sections') }} as sections
