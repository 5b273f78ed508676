"""`cogny status`: how each resource stands, for a person or a monitor."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cogny_source.cli.exits import EXIT_FAILED, report_failure
from cogny_source.cli.options import MakeTarget, any_destination, verbose_option
from cogny_source.cli.process import prepare_process
from cogny_source.cli.streams import dump_for, writing_out

if TYPE_CHECKING:
    from cogny_source.destinations.target import Target
    from cogny_source.monitoring.status import ResourceStatus

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# A load holds a DuckDB file for seconds; who asks how things stand does not wait for more than a few.
WAIT_SECONDS = 60.0


class Age(click.ParamType[float]):
    """A span of time such as `90m`, `3h` or `2d`."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it as seconds."""
        found = re.fullmatch(r"(\d+)([smhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is no age; write 90m, 3h or 2d", param, ctx)
        return float(found[1]) * SECONDS[found[2]]


@click.command("status")
@any_destination
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--max-age", type=Age(), metavar="AGE", help="Exit 1 where a watermark is older, such as 90m, 3h or 2d.")
@verbose_option
def status(make_target: MakeTarget, output: str, max_age: float | None, verbose: bool) -> None:
    """Tell how each resource stands: rows, watermark and its age, first load, last run, last error.

    Exit 0 where all is well; 1 where a resource was never synced, its last run did not end well, or its watermark is
    older than --max-age. Needs no key, and may be asked while a sync runs.

    \b
    Examples:
      cogny status --database growth.duckdb
      cogny status --database growth.duckdb --format json --max-age 3h
    """

    def run() -> int:
        with prepare_process():
            return _show(make_target(), output, max_age)

    sys.exit(report_failure(run, verbose=verbose))


def _show(target: Target, output: str, max_age: float | None) -> int:
    from cogny_source.cli.logs import configure_logging

    configure_logging("text", quiet=True)
    told, running = _read(target)
    now = datetime.now(UTC)
    with writing_out():
        if output == "json":
            _print_json(target, told, running, now, max_age)
        else:
            _print_table(told, running, now, max_age)
    return EXIT_FAILED if any(resource.complaint(now, max_age) for resource in told) else 0


def _read(target: Target) -> tuple[list[ResourceStatus], bool]:
    """How each resource stands, and whether a run works on the target now."""
    from cogny_source.cli.session import PIPELINE_NAME, open_for_looking, pipelines_dir
    from cogny_source.destinations.registry import open_session
    from cogny_source.engine.working_dir import is_locked
    from cogny_source.extract.endpoints import ENDPOINTS
    from cogny_source.monitoring.status import ResourceStatus, read_status

    workspace = pipelines_dir(target)
    running = is_locked(workspace, PIPELINE_NAME)
    if not target.is_there():
        return [ResourceStatus(name) for name in ENDPOINTS], running
    with open_for_looking(target) as pipeline:
        destination = open_session(pipeline, WAIT_SECONDS)
        return read_status(destination, workspace, PIPELINE_NAME, running=running), running


def _print_json(
    target: Target, told: list[ResourceStatus], running: bool, now: datetime, max_age: float | None
) -> None:
    resources = [resource.as_dict(now, max_age) for resource in told]
    whole = {
        "at": now.isoformat(),
        "dataset": target.dataset,
        "healthy": all(resource["healthy"] for resource in resources),
        "running": running,
        "resources": resources,
    }
    click.echo(dump_for(sys.stdout, whole))


def _print_table(told: list[ResourceStatus], running: bool, now: datetime, max_age: float | None) -> None:
    from cogny_source.cli.console import PlainConsole
    from cogny_source.cli.display import print_status

    print_status(PlainConsole(), told, now, max_age, running=running)
