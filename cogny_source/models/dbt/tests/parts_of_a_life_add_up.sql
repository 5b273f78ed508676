-- The seconds in each status and the unseen ones add up to the ticket's life, which is that of its spans.
with lives as (

    select
        spans.ticket_id,
        {{ micros_between('min(spans.started_at)', 'coalesce(max(case when spans.ends_with_deletion then spans.ended_at end), greatest(max(as_of.tickets_as_of), max(spans.started_at)))') }} / 1000000.0 as span_seconds
    from {{ ref('int_cogny__ticket_spans') }} as spans
    cross join {{ ref('int_cogny__as_of') }} as as_of
    group by spans.ticket_id

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
