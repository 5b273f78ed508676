-- The seconds in each status and the unseen ones add up to the ticket's life, from its first span to its deletion or to what is
-- known; a stay that begins later than that has not lasted yet.
with spans as (

    select
        *,
        span_number = 1 or status is distinct from status_before or is_seen <> was_seen as begins_stay
    from {{ ref('int_cogny__ticket_spans') }}

), ends as (

    select
        spans.ticket_id,
        min(spans.started_at) as started_at,
        max(case when spans.ends_with_deletion then spans.ended_at end) as deleted_at,
        greatest(max(as_of.tickets_as_of), max(case when spans.begins_stay then spans.started_at end)) as known_until
    from spans
    cross join {{ ref('int_cogny__as_of') }} as as_of
    group by spans.ticket_id

), lives as (

    select ticket_id, {{ seconds_between('started_at', 'coalesce(deleted_at, known_until)') }} as span_seconds
    from ends

)

select metrics.ticket_id, metrics.life_seconds, lives.span_seconds
from {{ ref('cogny_ticket_metrics') }} as metrics
inner join lives on lives.ticket_id = metrics.ticket_id
where
    abs(
        metrics.unseen_seconds + metrics.open_seconds + metrics.in_progress_seconds + metrics.completed_seconds
        + metrics.dismissed_seconds + metrics.other_seconds - metrics.life_seconds
    ) > 0.001
    or abs(metrics.life_seconds - lives.span_seconds) > 0.001
