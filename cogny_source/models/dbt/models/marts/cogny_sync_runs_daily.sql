-- One row for each day and resource on which a run began: what the runs read and cost, and how they ended.
select
    {{ local_date('started_at') }} as date_day,
    resource,
    count(*) as runs,
    {{ count_where("status = 'done'") }} as done_runs,
    {{ count_where("status = 'failed'") }} as failed_runs,
    {{ count_where("status in ('stopped', 'killed')") }} as interrupted_runs,
    {{ total('rows_read') }} as rows_read,
    {{ total('requests') }} as requests,
    {{ total('retries') }} as retries,
    {{ total('throttled') }} as throttled,
    sum(waited_seconds) as waited_seconds,
    {{ total('lasted_micros') }} / 1000000.0 as lasted_seconds,
    {{ total('deleted_rows') }} as deleted_rows,
    max(abs(unexplained_rows)) as most_unexplained_rows,
    max(differences) as most_differences
from {{ ref('stg_cogny__sync_runs') }}
where started_at is not null
group by 1, 2
