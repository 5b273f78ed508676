{# A loaded table; where a dataset does not hold it, such as a history after `--no-history`, no rows of its columns. #}
{% macro loaded(table) -%}
    {%- set relation = source('cogny', table) -%}
    {%- if not execute or adapter.get_relation(relation.database, relation.schema, relation.identifier) -%}
        {{ relation }}
    {%- else -%}
        {{ no_rows(table) }}
    {%- endif -%}
{%- endmacro %}

{% macro no_rows(table) -%}
    (
        select
        {%- for node in graph.sources.values() if node.source_name == 'cogny' and node.name == table -%}
            {%- for column in node.columns.values() %}
            cast(null as {{ type_of(column.data_type) }}) as {{ column.name }}{{ ',' if not loop.last }}
            {%- endfor -%}
        {%- endfor %}
        limit 0
    )
{%- endmacro %}
