-- One row a report in its newest version, deleted ones too.
select
    id as report_id,
    warehouse_id,
    status,
    coalesce(status in ({{ finished_statuses() }}), false) as is_finished,
    prompt,
    summary__total_queries as total_queries,
    summary__total_insights as total_insights,
    metadata,
    url,
    created_at,
    updated_at,
    completed_at,
    estimated_completion,
    deleted_at,
    deleted_at is not null as is_deleted,
    extra
from {{ loaded('reports') }} as reports
