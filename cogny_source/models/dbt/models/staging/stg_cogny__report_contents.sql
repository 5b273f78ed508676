-- One row a completed report whose content was asked for; none where the dataset holds no contents.
select report_id, report_updated_at, fetched_at, status, generation_time_seconds
from {{ loaded('report_contents', 'cogny_contents') }} as contents
