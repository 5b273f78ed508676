{# No two rows are alike in some columns; nulls are alike. #}
{% test unique_together(model, columns) %}
select {{ columns | join(', ') }}, count(*) as times
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}

{# A condition holds for every row; where it is null, it holds. #}
{% test holds_for_each_row(model, condition) %}
select *
from {{ model }}
where not ({{ condition }})
{% endtest %}
