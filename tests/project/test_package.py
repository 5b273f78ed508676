"""What the package owes to those who import it: names, types and a version."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import metadata, version
from importlib.resources import files

import pytest

import cogny_source


def test_every_exported_name_is_there() -> None:
    """`__all__` is what the package documents; each name loads, and `dir()` shows it."""
    for name in cogny_source.__all__:
        assert getattr(cogny_source, name) is not None
    assert set(cogny_source.__all__) <= set(dir(cogny_source))
    assert sorted(cogny_source.__all__) == cogny_source.__all__


def test_types_travel_with_the_package() -> None:
    """A type checker takes the annotations of an installed package where it finds `py.typed`."""
    assert files("cogny_source").joinpath("py.typed").is_file()


def test_version_is_that_of_the_distribution() -> None:
    """It stands in one place, `pyproject.toml`."""
    assert cogny_source.__version__ == version("cogny-source")
    done = subprocess.run(
        [sys.executable, "-m", "cogny_source", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"cogny, version {version('cogny-source')}\n"


def test_metadata_tells_where_to_look() -> None:
    """Who finds the package finds its purpose, its licence and its Python."""
    told = metadata("cogny-source")
    assert told["License-Expression"] == "Apache-2.0"
    classifiers = told.get_all("Classifier") or []
    assert any(line.startswith("Programming Language :: Python :: 3.11") for line in classifiers)
    assert "Typing :: Typed" in classifiers
    assert {url.split(",")[0] for url in told.get_all("Project-URL") or []} == {"Homepage", "API"}


def test_import_loads_neither_dlt_nor_duckdb_nor_pyarrow() -> None:
    """What a name needs is imported when it is first used."""
    script = "import sys, cogny_source; print(sorted({'dlt', 'duckdb', 'pyarrow', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["sync", "--help"], ["status", "--nonsense"], ["nonsense"]]
)
def test_help_version_and_usage_errors_load_nothing_heavy(arguments: list[str]) -> None:
    """Whoever asks for help waits for no import of dlt, DuckDB or Arrow."""
    script = (
        "import atexit, sys\n"
        "heavy = {'dlt', 'duckdb', 'pyarrow', 'pandas', 'rich'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        f"sys.argv = ['cogny', *{arguments!r}]\n"
        "from cogny_source.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == (2 if "nonsense" in arguments[-1] else 0)
    assert done.stderr.splitlines()[-1] == "[]"


def test_google_is_imported_only_where_it_is_used() -> None:
    """The other pipelines start without it."""
    code = "import cogny_source.cli, sys; print([name for name in sys.modules if name.startswith('google')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_a_sync_imports_no_models() -> None:
    """What builds them, and Jinja, which renders them, are imported by their own command."""
    code = (
        "import sys, cogny_source.cli, cogny_source.engine.runner\n"
        "import cogny_source.destinations.duckdb.adapter, cogny_source.destinations.filesystem.adapter\n"
        "print([name for name in sys.modules if name.startswith(('cogny_source.models', 'jinja2', 'dbt'))])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
