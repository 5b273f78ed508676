"""The page: queries the data, renders the template, and writes the file in one step."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import dlt
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cogny_source import formatting
from cogny_source.dashboard.content_figures import make_content_figures
from cogny_source.dashboard.content_metrics import Contents, read_contents
from cogny_source.dashboard.drift import find_drifts
from cogny_source.dashboard.report_metrics import Outcomes, read_outcomes
from cogny_source.dashboard.sync_figures import make_sync_figures
from cogny_source.dashboard.ticket_figures import make_report_figures, make_ticket_figures
from cogny_source.dashboard.ticket_metrics import TITLE_CHARACTERS, Tickets, read_tickets
from cogny_source.dashboard.trust import MARKS, make_tiles, tell_answer
from cogny_source.destinations.portable_sql import Inquiry
from cogny_source.destinations.session import DestinationSession
from cogny_source.file_output import check_place, write_whole
from cogny_source.monitoring.health import Level, Thresholds
from cogny_source.monitoring.run_history import list_failures
from cogny_source.monitoring.status import DatasetStatus, describe_contents, read_status
from cogny_source.plain_text import safe_lines

STYLE = "page.css"
TEMPLATE = "page.html"
ICON = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="{}"/></svg>'
ICON_COLOURS = {Level.UNSYNCED: "#6b7280", Level.OK: "#1a7f4b", Level.WARN: "#b7791f", Level.ERROR: "#c0392b"}
ERROR_CHARACTERS = 600


@dataclass(frozen=True)
class Content:
    """The content of the page.

    Attributes:
        name: The destination's name.
        status: The dataset's status.
        tickets: The ticket metrics; None without a table.
        outcomes: The report metrics; None without a table.
        contents: The metrics of the contents of reports; None without any.
    """

    name: str
    status: DatasetStatus
    tickets: Tickets | None
    outcomes: Outcomes | None
    contents: Contents | None = None

    @property
    def told_contents(self) -> str:
        """How many contents of reports there are, come and do not come."""
        if self.status.contents is None:
            return "No content of a report has been fetched. A sync fetches them, unless it runs with --contents never."
        return f"{describe_contents(self.status.contents)}."


def write_report(
    destination: DestinationSession,
    out: Path,
    now: datetime,
    journal: Path | None = None,
    *,
    running: bool = False,
    thresholds: Thresholds | None = None,
) -> None:
    """Write the page on a destination; an existing page is replaced in one step.

    Args:
        destination: The destination; its pipeline's working directory is recreated.
        out: The file.
        now: The present, aware; ages are measured from it.
        journal: The folder of run records that are not loaded yet; None without one.
        running: Whether a run is active.
        thresholds: The ages at which data is late.

    Raises:
        ConfigError: If the file cannot be written.
        LoadFailed: If the destination does not answer.
    """
    check_place(out)
    write_whole(out, render_report(destination, now, journal, running=running, thresholds=thresholds).encode())


def render_report(
    destination: DestinationSession,
    now: datetime,
    journal: Path | None = None,
    *,
    running: bool = False,
    thresholds: Thresholds | None = None,
) -> str:
    """The page on a destination as a text; arguments and errors are those of `write_report`."""
    status = read_status(destination, now.astimezone(UTC), journal, running=running, thresholds=thresholds)
    with destination.connect():
        inquiry = Inquiry(destination, now)
        tickets, outcomes, contents = read_tickets(inquiry), read_outcomes(inquiry), read_contents(inquiry)
    return render(Content(_name(destination.pipeline), status, tickets, outcomes, contents))


def _name(pipeline: dlt.Pipeline) -> str:
    """The destination's name for people: its kind, and its dataset or folder."""
    assert pipeline.destination is not None
    options = pipeline.destination.config_params
    if "table_format" in options:
        return f"{options['table_format']}, {str(options['bucket_url']).rstrip('/').rpartition('/')[2]}"
    return f"{pipeline.destination.destination_name}, {pipeline.dataset_name}"


def render(content: Content) -> str:
    """The page as a text."""
    style = files(__package__).joinpath(STYLE).read_text("utf-8")
    status = content.status
    histories = {known.resource: known.history for known in status.resources}
    answer = tell_answer(status)
    text = (
        _open_templates()
        .get_template(TEMPLATE)
        .render(
            content=content,
            now=status.at,
            answer=answer,
            tiles=make_tiles(status),
            marks=MARKS,
            failures=list_failures(histories.values()),
            drifts=find_drifts(histories),
            sync_figures=make_sync_figures(histories),
            ticket_figures=make_ticket_figures(content.tickets),
            report_figures=make_report_figures(content.outcomes),
            content_figures=make_content_figures(content.contents),
            style=Markup(style),
            style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
            icon=base64.b64encode(ICON.format(ICON_COLOURS[answer.level]).encode()).decode(),
        )
    )
    # Names such as a folder's may contain characters that HTML forbids.
    return safe_lines(text)


def _open_templates() -> Environment:
    """The templates, with escaping of all texts."""
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
        title_line=lambda text: formatting.excerpt(text, TITLE_CHARACTERS),
        error_line=lambda text: formatting.excerpt(text, ERROR_CHARACTERS),
    )
    return templates
