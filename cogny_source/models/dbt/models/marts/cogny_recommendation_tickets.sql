-- One row for each ticket that names the report it came from, in its supporting data or in a field without a column. Which of
-- the report's recommendations it came from is told where the title of just one of them is the ticket's. Without the report
-- a title tells nothing: many recommendations have the same one.
with tickets as (

    select
        ticket_id,
        created_at,
        {{ plain_words('title') }} as words,
        coalesce({{ json_text('supporting_data', 'report_id') }}, {{ json_text('extra', 'report_id') }}) as report_id
    from {{ ref('stg_cogny__tickets') }}

), recommendations as (

    select report_id, position, {{ plain_words('title') }} as words
    from {{ ref('stg_cogny__recommendations') }}

)

select
    tickets.ticket_id,
    tickets.report_id,
    tickets.created_at,
    reports.report_id is not null as is_loaded,
    case when count(recommendations.position) = 1 then max(recommendations.position) end as recommendation_position
from tickets
left join {{ ref('stg_cogny__reports') }} as reports on reports.report_id = tickets.report_id
left join recommendations
    on recommendations.report_id = tickets.report_id and recommendations.words = tickets.words and tickets.words <> ''
where tickets.report_id is not null
group by tickets.ticket_id, tickets.report_id, tickets.created_at, reports.report_id
