-- One row a completed report whose content was asked for; none where the dataset holds no contents.
select
    report_id,
    report_updated_at,
    fetched_at,
    status,
    attempted_at,
    attempts,
    total_queries,
    total_insights,
    generation_time_seconds
from {{ loaded('report_contents') }} as contents
