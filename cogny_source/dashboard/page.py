"""The page: what is asked, put into the template, and written in one step."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import dlt
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cogny_source import formatting
from cogny_source.dashboard.report_metrics import Outcomes, read_outcomes
from cogny_source.dashboard.runs import ERROR_CHARACTERS, Failure, Resource, read_failures, read_resources
from cogny_source.dashboard.sync_figures import make_sync_figures
from cogny_source.dashboard.ticket_figures import make_report_figures, make_ticket_figures
from cogny_source.dashboard.ticket_metrics import TITLE_CHARACTERS, Tickets, read_tickets
from cogny_source.dashboard.trust import MARKS, Level, answer, judge
from cogny_source.destinations.portable_sql import SECOND, Inquiry, instant
from cogny_source.destinations.session import DestinationSession
from cogny_source.engine.working_dir import check_schema
from cogny_source.errors import ConfigError
from cogny_source.plain_text import safe_lines

STYLE = "page.css"
TEMPLATE = "page.html"
ICON = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="{}"/></svg>'
ICON_COLOURS = {Level.UNKNOWN: "#6b7280", Level.GOOD: "#1a7f4b", Level.CARE: "#b7791f", Level.BAD: "#c0392b"}


@dataclass(frozen=True)
class Content:
    """All that the page tells.

    Attributes:
        name: What the destination is called.
        now: When it was asked.
        resources: The resources and their last runs.
        failures: The last runs that are not done.
        tickets: The tickets; None where there is no table.
        outcomes: The reports; None where there is no table.
    """

    name: str
    now: datetime
    resources: Sequence[Resource]
    failures: Sequence[Failure]
    tickets: Tickets | None
    outcomes: Outcomes | None


def write_report(destination: DestinationSession, out: Path, now: datetime) -> None:
    """Write the page on what a destination holds; a page that is there is replaced in one step.

    Args:
        destination: The destination.
        out: The file.
        now: The instant that ages are told at, aware.

    Raises:
        ConfigError: If the file cannot be written.
        LoadFailed: If the destination does not answer.
    """
    _check_place(out)
    _write(out, render(read_content(destination, now)))


def read_content(destination: DestinationSession, now: datetime) -> Content:
    """Ask a destination for all that the page tells.

    Raises:
        LoadFailed: If it does not answer.
    """
    _learn_schema(destination)
    with destination.hold():
        inquiry = Inquiry(destination, now)
        return Content(
            _name(destination.pipeline),
            now.astimezone(UTC),
            read_resources(inquiry),
            read_failures(inquiry),
            read_tickets(inquiry),
            read_outcomes(inquiry),
        )


def _name(pipeline: dlt.Pipeline) -> str:
    """What a person calls a destination: its kind, and its dataset or folder."""
    assert pipeline.destination is not None
    options = pipeline.destination.config_params
    if "table_format" in options:
        return f"{options['table_format']}, {str(options['bucket_url']).rstrip('/').rpartition('/')[2]}"
    return f"{pipeline.destination.destination_name}, {pipeline.dataset_name}"


def _learn_schema(destination: DestinationSession) -> None:
    """Take the tables' names from the destination: to a machine that has not synced into it, a folder looks empty."""
    check_schema(destination.pipeline)
    with destination.hold(), destination.translating_errors():
        destination.pipeline.sync_destination()
    destination.forget_schema()


def render(content: Content) -> str:
    """The page as a text."""
    style = files(__package__).joinpath(STYLE).read_text("utf-8")
    verdicts = [judge(resource, round(content.now.timestamp() * SECOND)) for resource in content.resources]
    found = answer(verdicts)
    text = (
        _open_templates()
        .get_template(TEMPLATE)
        .render(
            content=content,
            answer=found,
            verdicts=verdicts,
            marks=MARKS,
            sync_figures=make_sync_figures(content.resources),
            ticket_figures=make_ticket_figures(content.tickets),
            report_figures=make_report_figures(content.outcomes),
            style=Markup(style),
            style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
            icon=base64.b64encode(ICON.format(ICON_COLOURS[found.level]).encode()).decode(),
        )
    )
    # Names that no figure shortens, such as a folder's, may hold what no page should.
    return safe_lines(text)


def _open_templates() -> Environment:
    """The templates, in which every text is escaped."""
    templates = Environment(
        loader=PackageLoader("cogny_source.dashboard", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        number=formatting.count,
        per_cent=formatting.per_cent,
        span=formatting.span,
        minute=formatting.minute,
        instant=instant,
        title_line=lambda text: formatting.excerpt(text, TITLE_CHARACTERS),
        error_line=lambda text: formatting.excerpt(text, ERROR_CHARACTERS),
    )
    return templates


def _check_place(out: Path) -> None:
    """Refuse a place that takes no file, before the destination is asked for minutes."""
    if not out.parent.is_dir():
        raise ConfigError(f"the folder {out.parent} is not there: make it, or name another with --out")
    if out.is_dir():
        raise ConfigError(f"{out} is a folder: name a file with --out")
    if out.exists() and not out.is_file():
        raise ConfigError(
            f"{out} is a device or a pipe, which the page would take the place of: name a file with --out"
        )


def _write(out: Path, text: str) -> None:
    """Write a file in one step: whoever reads sees the old one or the new one whole."""
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(out)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"{out} cannot be written: {error.strerror}") from error
