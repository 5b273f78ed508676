{# The words of the API that the models know. A status that it does not document counts as open. #}
{% macro closed_statuses() %}'completed', 'dismissed'{% endmacro %}
{% macro is_closed(status) %}coalesce({{ status }} in ({{ closed_statuses() }}), false){% endmacro %}

{% macro finished_statuses() %}'completed', 'failed', 'cancelled'{% endmacro %}

{# Whether it is good that a metric rises, by the parts of its name; null where they do not tell. #}
{% macro is_good_when_rising(metric) -%}
    case
        {%- for part in var('cogny_good_when_falling') %}
        when lower({{ metric }}) like '%{{ part }}%' then false
        {%- endfor %}
        {%- for part in var('cogny_good_when_rising') %}
        when lower({{ metric }}) like '%{{ part }}%' then true
        {%- endfor %}
    end
{%- endmacro %}

{# The documented reason of a dismissal that a text names; null where it names none. #}
{% macro named_reason(text) -%}
    case
        {%- for reason in ['not_applicable', 'already_implemented', 'insufficient_impact', 'resource_constraints'] %}
        when lower({{ text }}) like '%{{ reason }}%' then '{{ reason }}'
        {%- endfor %}
        when lower({{ text }}) like '%dismissed: other%' then 'other'
    end
{%- endmacro %}
