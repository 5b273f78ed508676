{# What DuckDB and BigQuery write differently. Everything else in the package is SQL that both read. #}

{# The day of an instant in the reader's time zone. #}
{% macro local_date(instant) %}{{ adapter.dispatch('local_date', 'cogny')(instant) }}{% endmacro %}
{% macro default__local_date(instant) %}cast(timezone('{{ var("cogny_timezone") }}', {{ instant }}) as date){% endmacro %}
{% macro bigquery__local_date(instant) %}date({{ instant }}, '{{ var("cogny_timezone") }}'){% endmacro %}

{# Microseconds since 1970: whole numbers, of which a sum is the same in any order. #}
{% macro micros(instant) %}{{ adapter.dispatch('micros', 'cogny')(instant) }}{% endmacro %}
{% macro default__micros(instant) %}epoch_us({{ instant }}){% endmacro %}
{% macro bigquery__micros(instant) %}unix_micros({{ instant }}){% endmacro %}

{% macro micros_between(start, stop) %}({{ micros(stop) }} - {{ micros(start) }}){% endmacro %}

{# Elapsed seconds with their fraction; no calendar boundaries are counted, so that the parts of a life add up to it. #}
{% macro seconds_between(start, stop) %}({{ micros_between(start, stop) }} / 1000000.0){% endmacro %}

{# The number of a day, counted from 1970. #}
{% macro day_number(day) %}{{ adapter.dispatch('day_number', 'cogny')(day) }}{% endmacro %}
{% macro default__day_number(day) %}({{ day }} - cast('1970-01-01' as date)){% endmacro %}
{% macro bigquery__day_number(day) %}unix_date({{ day }}){% endmacro %}

{% macro add_days(day, days) %}{{ adapter.dispatch('add_days', 'cogny')(day, days) }}{% endmacro %}
{% macro default__add_days(day, days) %}({{ day }} + cast({{ days }} as integer)){% endmacro %}
{% macro bigquery__add_days(day, days) %}date_add({{ day }}, interval {{ days }} day){% endmacro %}

{# The first day of a day's week. #}
{% macro week_of(day) %}{{ adapter.dispatch('week_of', 'cogny')(day) }}{% endmacro %}
{% macro default__week_of(day) %}
    {%- set shift = {'monday': 0, 'tuesday': 1, 'wednesday': 2, 'thursday': 3, 'friday': 4, 'saturday': 5, 'sunday': 6}[var('cogny_week_start') | lower] -%}
    (cast(date_trunc('week', {{ day }} - {{ shift }}) as date) + {{ shift }})
{%- endmacro %}
{% macro bigquery__week_of(day) %}date_trunc({{ day }}, week({{ var('cogny_week_start') | lower }})){% endmacro %}

{# The `from` of one row a day between two columns of a relation, both included; its columns are the relation's and `name`. #}
{% macro each_day(relation, first, last, name='date_day') %}{{ adapter.dispatch('each_day', 'cogny')(relation, first, last, name) }}{% endmacro %}
{% macro default__each_day(relation, first, last, name) %}(
    select *, cast(unnest(generate_series({{ first }}, {{ last }}, interval 1 day)) as date) as {{ name }} from {{ relation }}
) as {{ relation }}_by_day{% endmacro %}
{% macro bigquery__each_day(relation, first, last, name) %}{{ relation }} cross join unnest(generate_date_array({{ first }}, {{ last }})) as {{ name }}{% endmacro %}

{# A member of a JSON object as text; null where the member is no text. #}
{% macro json_text(column, member) %}{{ adapter.dispatch('json_text', 'cogny')(column, member) }}{% endmacro %}
{% macro default__json_text(column, member) %}json_extract_string({{ column }}, '$.{{ member }}'){% endmacro %}
{% macro bigquery__json_text(column, member) %}json_value({{ column }}, '$.{{ member }}'){% endmacro %}

{# A text in lower case, with one space for whatever is no letter and no digit. #}
{% macro plain_words(text) %}{{ adapter.dispatch('plain_words', 'cogny')(text) }}{% endmacro %}
{% macro default__plain_words(text) %}trim(lower(regexp_replace({{ text }}, '[^\p{L}\p{N}]+', ' ', 'g'))){% endmacro %}
{% macro bigquery__plain_words(text) %}trim(lower(regexp_replace({{ text }}, r'[^\p{L}\p{N}]+', ' '))){% endmacro %}

{# The destination's type for one of the connector's. #}
{% macro type_of(name) %}{{ adapter.dispatch('type_of', 'cogny')(name) }}{% endmacro %}
{% macro default__type_of(name) %}
    {{- {'text': 'varchar', 'double': 'double', 'bigint': 'bigint', 'bool': 'boolean', 'json': 'json', 'timestamp': 'timestamp with time zone'}[name] -}}
{% endmacro %}
{% macro bigquery__type_of(name) %}
    {{- {'text': 'string', 'double': 'float64', 'bigint': 'int64', 'bool': 'bool', 'json': 'json', 'timestamp': 'timestamp'}[name] -}}
{% endmacro %}

{# A sum of whole numbers as a whole number; DuckDB's own type for it is wider, and becomes a float in Parquet. #}
{% macro total(expression) %}cast(sum({{ expression }}) as {{ type_of('bigint') }}){% endmacro %}

{# How many rows a condition holds for. #}
{% macro count_where(condition) %}count(case when {{ condition }} then 1 end){% endmacro %}

{# Whether a condition holds for any row of a group; false where it is null. #}
{% macro any_where(condition) %}(count(case when {{ condition }} then 1 end) > 0){% endmacro %}

{# The sum of all rows up to this one, as a whole number. #}
{% macro running_total(expression, order) %}cast(sum({{ expression }}) over (order by {{ order }} rows unbounded preceding) as {{ type_of('bigint') }}){% endmacro %}
