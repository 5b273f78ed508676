-- The last complete run of each resource is no older than the tables may be.
{{ config(severity='warn') }}
select resource, last_finished_at, allowed_seconds
from {{ ref('cogny_sync_freshness') }}
where {{ micros_between('fresh_as_of', 'current_timestamp') }} / 1000000.0 > allowed_seconds
