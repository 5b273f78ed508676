"""The recipes of docs/client.md and of the README, run as they stand there, and read by a strict type checker."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cogny_source.api.http_client import Timing
from cogny_source.client.cogny import Cogny
from cogny_source.sandbox import World
from cogny_source.sandbox.api import Api
from cogny_source.sandbox.keys import Access
from cogny_source.testing import BASE_URL, BORN, Clock, SandboxAdapter
from tests.support.syncs import ROOT

PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
# As the publisher shows it, with its import line changed alone.
PUBLISHED = """from cogny_source import Cogny

client = Cogny(api_key="sk_live_...")
"""


def recipes(page: str) -> dict[str, str]:
    """The Python of each section that has some."""
    sections = re.split(r"^## ", page, flags=re.MULTILINE)
    blocks = {section.splitlines()[0]: re.findall(r"```python\n(.*?)```", section, re.DOTALL) for section in sections}
    return {title: code for title, [*codes] in blocks.items() for code in codes}


RECIPES = recipes(PAGE)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Api:
    """An API with the published example's key and warehouse, behind each client that is made."""
    clock, world = Clock(BORN.timestamp()), World(1, 200, 20, 5, now=BORN)
    world.clock = clock
    world.put("warehouses", {"id": "wh_123abc", "name": "GA4", "type": "bigquery", "status": "connected"})
    api = Api(world, keys={"sk_live_...": Access(requests_per_minute=100)})
    make = Cogny.__init__

    def make_here(client: Cogny, *arguments: Any, **options: Any) -> None:
        timing = Timing(clock=clock, sleep=clock.sleep, jitter=lambda: 0.5, stopwatch=clock)
        make(client, *arguments, **{"timing": timing, "adapter": SandboxAdapter(api, clock), **options})

    monkeypatch.setattr(Cogny, "__init__", make_here)
    monkeypatch.setenv("COGNY_API_KEY", "sk_live_...")
    monkeypatch.setenv("COGNY_BASE_URL", BASE_URL)
    monkeypatch.chdir(tmp_path)
    airflow, sdk = ModuleType("airflow"), ModuleType("airflow.sdk")
    vars(sdk).update(dag=_decorate, task=_decorate)
    monkeypatch.setitem(sys.modules, "airflow", airflow)
    monkeypatch.setitem(sys.modules, "airflow.sdk", sdk)
    return api


def _decorate(**_: object) -> Callable[[Any], Any]:
    """Airflow's decorators, which run what they decorate when it is called."""
    return lambda function: function


def run(code: str) -> dict[str, Any]:
    """Run a recipe."""
    names: dict[str, Any] = {"__name__": "recipe"}
    exec(compile(code, "recipe", "exec"), names)
    return names


def posted(api: Api, path: str) -> int:
    """How often something was written."""
    return sum((it.method, it.path) == ("POST", f"/v1{path}") for it in api.recorded())


def test_there_are_ten_recipes() -> None:
    """Beside the published example."""
    assert len(RECIPES) >= 11


@pytest.mark.parametrize("title", [title for title in RECIPES if not title.startswith("#")])
def test_each_recipe_runs(api: Api, title: str) -> None:
    """As it stands on the page."""
    run(RECIPES[title])


def test_the_published_example(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """The report that it asks for is made, and its address printed."""
    code = next(code for title, code in RECIPES.items() if title.startswith("#"))
    assert code.startswith(PUBLISHED)
    run(code)
    row = api.world.rows("reports")[-1]
    assert (row["warehouse_id"], row["status"]) == ("wh_123abc", "completed")
    assert capsys.readouterr().out == f"{row['url']}\n"


def test_the_readmes_example(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the report's address."""
    run(recipes(README)["The API from Python"])
    assert capsys.readouterr().out == f"{api.world.rows('reports')[-1]['url']}\n"


@pytest.mark.parametrize("title", ["A weekly report", "In Airflow"])
def test_who_runs_it_twice_gets_the_same_report(api: Api, title: str) -> None:
    """By its token."""
    run(RECIPES[title])
    run(RECIPES[title])
    assert posted(api, "/reports") == 1


def test_triage_changes_what_it_says(api: Api) -> None:
    """No open ticket of low priority and little impact is left, and no critical one without an assignee."""
    run(RECIPES["Triage in bulk"])
    for row in api.world.rows("tickets"):
        if row["status"] == "open" and row["priority"] == "low":
            assert row["estimated_impact"]["increase_percentage"] >= 5
        assert (row["status"], row["priority"], row["assignee"]) != ("open", "critical", None)
    assert posted(api, "/tickets/bulk-update") == 1


def test_the_export_is_a_file(api: Api, tmp_path: Path) -> None:
    """For Jira."""
    run(RECIPES["Export to Jira"])
    assert (tmp_path / "jira.csv").read_text(encoding="utf-8").startswith("Summary,")


def test_errors_are_met(api: Api) -> None:
    """An answer that is lost for good is looked for by its token."""
    api.fail_next("dribble", "html_504")
    run(RECIPES["Errors"])
    assert posted(api, "/reports") == 2
    assert len(api.world.rows("reports")) == 21


def test_deliveries_are_received_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A forged one is refused."""
    receive = run(RECIPES["Receive webhooks"])["receive"]
    body = json.dumps({"id": "evt_1", "type": "report.completed", "data": {"id": "rpt_1"}}).encode()
    headers = {"X-Cogny-Signature": hmac.new(b"s", body, hashlib.sha256).hexdigest()}
    assert [receive(body, headers, "s"), receive(body, headers, "s"), receive(body, headers, "x")] == [200, 200, 401]
    assert capsys.readouterr().out == "report.completed rpt_1\n"


@pytest.mark.long
def test_recipes_pass_a_strict_type_checker(tmp_path: Path) -> None:
    """Against the installed package, which ships its types."""
    for number, (title, code) in enumerate(RECIPES.items()):
        if "airflow" not in code and "pandas" not in code:
            (tmp_path / f"recipe_{number}.py").write_text(f"# {title}\n{code}", encoding="utf-8")
    cache = ["--cache-dir", str(ROOT / ".mypy_cache" / "recipes")]
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", *cache, "."]
    # An editable installation is invisible to it; `test_installed.py` has it read the wheel.
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
