"""Turns the package's templates into SQL, as dbt would: the part of dbt's Jinja that the package uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import CodeType, SimpleNamespace
from typing import Any

from jinja2 import Environment, StrictUndefined, Template, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

from cogny_source.destinations.model_store import ModelStore, Relation
from cogny_source.models.project import NAME, DataTest, Project

# The generic tests that dbt brings.
BUILT_IN_TESTS = """
{% test not_null(model, column_name) %}select * from {{ model }} where {{ column_name }} is null{% endtest %}
{% test unique(model, column_name) %}
select {{ column_name }}, count(*) as times
from {{ model }} where {{ column_name }} is not null
group by {{ column_name }} having count(*) > 1
{% endtest %}
{% test accepted_values(model, column_name, values) %}
select {{ column_name }}, count(*) as times
from {{ model }} where {{ column_name }} not in ('{{ values | join("', '") }}')
group by {{ column_name }}
{% endtest %}
{% test relationships(model, column_name, to, field) %}
select child.{{ column_name }}
from {{ model }} as child
left join {{ to }} as parent on parent.{{ field }} = child.{{ column_name }}
where child.{{ column_name }} is not null and parent.{{ field }} is null
{% endtest %}
"""


@dataclass(frozen=True)
class Rendered:
    """A query, and the models that it reads."""

    sql: str
    reads: frozenset[str]


class TestTag(Extension):
    """The tag `{% test %}`, which makes a macro named `test_…`."""

    __test__ = False  # pytest must not take it for a test
    tags = {"test"}  # noqa: RUF012 - Jinja's own attribute

    def parse(self, parser: Parser) -> nodes.Node:
        """Parse up to `{% endtest %}`."""
        node = nodes.Macro(lineno=next(parser.stream).lineno)
        name = parser.parse_assign_target(name_only=True).name
        parser.parse_signature(node)
        node.name = f"test_{name}"
        node.body = parser.parse_statements(("name:endtest",), drop_needle=True)
        return node


class Renderer:
    """Renders templates for a store.

    Args:
        project: The package.
        store: Where the models are built.
        variables: Values of the package's variables, instead of the defaults.
    """

    def __init__(self, project: Project, store: ModelStore, variables: Mapping[str, Any]) -> None:
        self._store = store
        self._variables = {**project.variables, **variables}
        self._loaded = store.list_loaded(project.sources)
        self._reads: set[str] = set()
        self._environment = _make_environment()
        self._environment.globals = {
            "adapter": SimpleNamespace(dispatch=self._dispatch, get_relation=self._find_loaded),
            "config": lambda **_: "",
            "execute": True,
            "graph": SimpleNamespace(sources=_list_sources(project)),
            "ref": self._ref,
            "source": lambda _, table: store.loaded(table),
            "target": SimpleNamespace(type=store.dialect),
            "var": self._variables.__getitem__,
        }
        module: Any = self._open(BUILT_IN_TESTS + project.macros).module
        self._macros: dict[str, Callable[..., str]] = {
            name: macro for name, macro in vars(module).items() if callable(macro) and not name.startswith("_")
        }
        self._environment.globals.update(self._macros)

    def render(self, template: str) -> Rendered:
        """Render a template."""
        self._reads = set()
        sql = self._open(template).render()
        return Rendered(sql.strip(), frozenset(self._reads))

    def render_test(self, test: DataTest) -> Rendered:
        """Render the query of a data test."""
        if not test.macro:
            return self.render(test.sql)
        self._reads = {test.model}
        arguments = dict(test.arguments)
        if "to" in arguments:
            arguments["to"] = self._open("{{ " + arguments["to"] + " }}").render()
        sql = self._macros[f"test_{test.macro}"](model=self._store.model(test.model), **arguments)
        return Rendered(sql.strip(), frozenset(self._reads))

    def _open(self, template: str) -> Template:
        names = self._environment.make_globals(None)
        return Template.from_code(self._environment, _compile(template), names)

    def _ref(self, model: str) -> Relation:
        self._reads.add(model)
        return self._store.model(model)

    def _find_loaded(self, _database: str, _schema: str, identifier: str) -> Relation | None:
        return self._store.loaded(identifier) if identifier in self._loaded else None

    def _dispatch(self, name: str, _package: str) -> Callable[..., str]:
        """The macro of a name for the store's dialect."""
        return self._macros.get(f"{self._store.dialect}__{name}") or self._macros[f"default__{name}"]


def _make_environment() -> Environment:
    return Environment(undefined=StrictUndefined, extensions=[TestTag], autoescape=False)


@cache
def _compile(template: str) -> CodeType:
    """A template as Python code, which takes most of the time of rendering it."""
    return _make_environment().compile(template)


def _list_sources(project: Project) -> dict[str, SimpleNamespace]:
    return {
        table: SimpleNamespace(
            source_name=NAME,
            name=table,
            columns={name: SimpleNamespace(name=name, data_type=kind) for name, kind in columns.items()},
        )
        for table, columns in project.sources.items()
    }
