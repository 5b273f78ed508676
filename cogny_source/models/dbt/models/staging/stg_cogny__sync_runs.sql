-- One row for each resource of a run of the sync.
select
    run_id,
    resource,
    mode,
    -- Whether the run brought the table up to date; a window or a reset does not.
    coalesce(status = 'done' and coalesce(mode, '') not in ('window', 'reset'), false) as is_complete,
    status,
    error,
    started_at,
    finished_at,
    {{ micros_between('started_at', 'finished_at') }} as lasted_micros,
    requests,
    retries,
    throttled,
    waited_seconds,
    runs.rows as rows_read,
    api_rows,
    live_rows,
    unexplained_rows,
    deleted_rows,
    differences,
    compared_rows,
    compared_since,
    updated_after_before as watermark_before,
    updated_after_after as watermark
from {{ loaded('sync_runs') }} as runs
