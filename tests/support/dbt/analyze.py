"""Analyses queries with Google's own analyzer; run by the environment that `make dbt` makes.

Standard input is a JSON object: `tables`, each table's columns with their types; and `queries`, a name and SQL each,
which may read the tables. Standard output is a JSON object: for each query an error's text, or its columns with their
types.
"""

from __future__ import annotations

import json
import sys

from zetasql.api import CatalogBuilder, TableBuilder
from zetasql.core.local_service import ZetaSqlLocalService
from zetasql.types import AnalyzerOptions, LanguageOptions, ProductMode, TypeKind, ZetaSQLBuiltinFunctionOptions

PREFIX = "TYPE_"


def main() -> None:
    """Analyse each query."""
    given = json.load(sys.stdin)
    language = LanguageOptions.maximum_features()
    language.product_mode = ProductMode.PRODUCT_EXTERNAL
    options = AnalyzerOptions(language_options=language)
    catalog = CatalogBuilder("models").with_builtin_functions(ZetaSQLBuiltinFunctionOptions(language_options=language))
    for name, columns in given["tables"].items():
        table = TableBuilder(name)
        for column, kind in columns.items():
            table.add_column(column, TypeKind[PREFIX + kind])
        catalog.add_table(table.build())
    service = ZetaSqlLocalService.get_instance()
    # Once: sent with each query, it would take most of the time.
    known = service.register_catalog(simple_catalog=catalog.build()).registered_id
    told: dict[str, str | dict[str, str]] = {}
    for name, sql in given["queries"]:
        try:
            answer = service.analyze(sql_statement=sql, options=options, registered_catalog_id=known)
        except Exception as error:  # noqa: BLE001 - whatever it finds is told
            told[name] = str(error)
            continue
        columns = answer.resolved_statement.output_column_list
        told[name] = {it.name: TypeKind(it.column.type.type_kind).name.removeprefix(PREFIX) for it in columns}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
