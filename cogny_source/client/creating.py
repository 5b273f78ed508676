"""Creating reports, each once: one whose answer was lost is looked for by the token in its metadata."""

from __future__ import annotations

import logging
import re
import threading
import uuid
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from cogny_source.api.calls import check_id
from cogny_source.api.outcome import Outcome, judge
from cogny_source.api.pagination import Page, iter_pages
from cogny_source.client.arguments import ReportRequest, check_text
from cogny_source.client.context import Context
from cogny_source.client.errors import CreationIncomplete
from cogny_source.client.looking import look, unknown
from cogny_source.client.models import Report
from cogny_source.client.reading import read_model
from cogny_source.errors import CognyError, InvalidArgument, OutcomeUnknown
from cogny_source.timestamps import format_instant, parse_instant, shift

logger = logging.getLogger(__name__)

PATH, READ, WRITE = "/reports", "reports:read", "reports:write"
MARK = "cogny_request"
MOST_PAGES = 10
# Reports whose token this client knows.
MOST_KNOWN = 10_000
# A clock may be as wrong as that, and the list is asked from then on.
MARGIN_SECONDS = 900.0
# The server's clock is told in whole seconds here and there.
DRIFT_SECONDS = 2.0
# How far back a report is looked for that a token of another form stands for, such as that of a week or a month; and
# one that is recognised by its prompt alone.
TOKEN_AGE, PROMPT_AGE = timedelta(days=100), timedelta(days=1)
TOKEN = re.compile(r"([0-9a-f]{11})-[0-9a-f-]{36}(?:\.\d+)?")
ADVICE = "create(…, token=error.token) with the same arguments looks for it again"
MANY_ADVICE = "create_many with the same requests and the token of this error looks for it"
UNREADABLE = "the list of reports cannot be read"
TOO_LONG = f"the list of reports is too long to be looked through; its metadata would hold {MARK}"
MAY_BE = "a report of the same prompt may be the one"


def make_token(now: datetime) -> str:
    """A new token; it holds the moment, from which on its report is looked for."""
    return f"{int(now.timestamp() * 1000):011x}-{uuid.uuid4()}"


def read_moment(token: str) -> datetime | None:
    """When a token was made; None if it is of another form."""
    found = TOKEN.fullmatch(token)
    return datetime.fromtimestamp(int(found[1], 16) / 1000, UTC) if found else None


@dataclass(frozen=True)
class Wanted:
    """A report that is to be created.

    Attributes:
        body: The body of the request, its metadata with the token.
        token: The token.
        listed_since: How old it may be, by this machine's clock.
        since: How old it may be where it is recognised by its prompt alone.
    """

    body: Mapping[str, Any]
    token: str
    listed_since: datetime
    since: datetime

    @property
    def subject(self) -> tuple[Any, Any]:
        """By what it is recognised where the API drops metadata."""
        return self.body["warehouse_id"], self.body["prompt"]


class Creator:
    """Creates reports. Thread-safe.

    Args:
        context: Sends the requests.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._known: OrderedDict[str, str] = OrderedDict()
        self._made: OrderedDict[str, Report] = OrderedDict()
        self._tokens = threading.Condition(self._lock)
        self._busy: set[str] = set()
        self._marks: dict[str, object] = {}
        self._under_way: Counter[tuple[Any, Any]] = Counter()
        self._clock_is_doubtful = False
        self.keeps_metadata = False
        """Whether the API was seen to keep the mark, so that a report without it is another's."""

    def create(self, request: ReportRequest, token: str | None = None) -> Report:
        """Create a report, or find the one that a token stands for.

        Raises:
            OutcomeUnknown: If the answer was lost and the report was not found.
            CognyError: If it was not created.
        """
        wanted = self._prepare(request, token)
        with self._holding(wanted):
            found = None if token is None else self._find_before(wanted)
            return self._send(wanted) if found is None else found

    def create_many(self, requests: Sequence[ReportRequest], token: str | None = None) -> list[Report]:
        """Create reports one after the other.

        Raises:
            CreationIncomplete: If one of them was not created, or its outcome is unknown.
            InvalidArgument: If one of them is not possible; none is created then.
        """
        begun = token or make_token(self._context.now())
        wanted = [self._prepare(request, f"{begun}.{number}") for number, request in enumerate(requests)]
        done: dict[int, Report] = {}
        try:
            looks_first = token is not None
            for number, one in enumerate(wanted):
                with self._holding(one):
                    found = self._find_before(one) if looks_first else None
                    # They are created in their order: behind the first that is not there, none is.
                    looks_first = found is not None
                    done[number] = self._send(one) if found is None else found
        except CognyError as error:
            raise CreationIncomplete(_describe_rest(len(done), len(wanted), error), begun, done) from error
        return [done[number] for number in range(len(wanted))]

    def _prepare(self, request: ReportRequest, token: str | None) -> Wanted:
        body = request.make_body()
        now = self._context.now()
        token = make_token(now) if token is None else check_text(token, "token")
        if MARK in body.get("metadata", {}):
            raise InvalidArgument("metadata", f"must not hold {MARK}, which is the client's; use token=")
        metadata = {**body.get("metadata", {}), MARK: token}
        moment = read_moment(token)
        return Wanted({**body, "metadata": metadata}, token, moment or now - TOKEN_AGE, moment or now - PROMPT_AGE)

    def _send(self, wanted: Wanted) -> Report:
        sent_at = self._context.timing.stopwatch()
        try:
            answer = self._context.write("POST", PATH, WRITE, dict(wanted.body))
            report = read_model(Report, answer.data, answer.request_id)
            self.keeps_metadata = self.keeps_metadata or MARK in report.metadata
            return self._remember(report, wanted)
        except CognyError as error:
            if judge(error) is not Outcome.UNKNOWN:
                raise
            logger.warning("%s; looking whether the report was created", error)
            found = look(self._context, _Search(self, wanted, sent_at).find)
            if found is None:
                raise unknown(error, ADVICE, wanted.token) from error
            return self._remember(found, wanted)
        except BaseException:  # Ctrl-C, while the answer is out
            logger.warning("interrupted while a report is created: with the token %s it is found", wanted.token)
            raise

    def _find_before(self, wanted: Wanted) -> Report | None:
        """The report that a token stands for: one that this client made, or one in the list."""
        with self._lock:
            made = self._made.get(wanted.token)
        if made is not None:
            return made
        search = _Search(self, wanted, None)
        found = look(self._context, search.find)
        if found is None and search.doubt is not None:
            raise OutcomeUnknown(f"{search.doubt}: {ADVICE}", token=wanted.token, path=PATH)
        return None if found is None else self._remember(found, wanted)

    def _remember(self, report: Report, wanted: Wanted) -> Report:
        with self._lock:
            self._known[report.id] = wanted.token
            self._made[wanted.token] = report
            for memory in (self._known, self._made):
                if len(memory) > MOST_KNOWN:
                    memory.popitem(last=False)
        return report

    @contextmanager
    def _holding(self, wanted: Wanted) -> Iterator[None]:
        """Keep other threads from the same token, and let those of the same prompt know that it is under way."""
        with self._tokens:
            self._tokens.wait_for(lambda: wanted.token not in self._busy)
            self._busy.add(wanted.token)
            self._under_way[wanted.subject] += 1
        try:
            yield
        finally:
            with self._tokens:
                self._busy.discard(wanted.token)
                self._under_way[wanted.subject] -= 1
                if not self._under_way[wanted.subject]:
                    del self._under_way[wanted.subject]
                self._tokens.notify_all()

    def is_anothers(self, identity: object, wanted: Wanted) -> bool:
        """Whether a report is known to belong to another token."""
        with self._lock:
            return isinstance(identity, str) and self._known.get(identity, wanted.token) != wanted.token

    def is_alone(self, wanted: Wanted) -> bool:
        """Whether no other request of the same subject is under way."""
        with self._lock:
            return self._under_way[wanted.subject] <= 1

    def read_pages(self, wanted: Wanted, until: float) -> Iterator[Page]:
        """The reports that may be the one; ten pages at most, and no request after a moment of the stopwatch."""
        since = format_instant(shift(wanted.listed_since, -MARGIN_SECONDS))
        # The newest first, where the API heeds it.
        params = {"sort": "-created_at"} | ({} if self._clock_is_doubtful else {"created_after": since})
        pages = iter_pages(self._context.before(until), PATH, params, self._context.meter, scope=READ)
        for page in islice(pages, MOST_PAGES):
            if page.doubtful_time and not self._clock_is_doubtful:
                self._clock_is_doubtful = True  # this machine's time may lie after the report's
                yield from self.read_pages(wanted, until)
                return
            yield page

    def read_mark(self, row: Mapping[str, Any], until: float, *, ask: bool) -> object:
        """The token in a report's metadata; None without one.

        Args:
            row: The report, as the list shows it.
            until: No request begins after this moment of the stopwatch.
            ask: Whether the API is asked for the report where the list shows no metadata of it.
        """
        metadata, identity = row.get("metadata"), row.get("id")
        if ask and not metadata and isinstance(identity, str):
            if identity not in self._marks:
                answer = self._context.get(f"{PATH}/{check_id(identity, 'id')}", READ, until=until)
                metadata = read_model(Report, answer.data).raw.get("metadata")
                self._marks[identity] = metadata.get(MARK) if isinstance(metadata, dict) else None
            return self._marks[identity]
        return metadata.get(MARK) if isinstance(metadata, dict) else None

    def server_time_of(self, moment: float, told: datetime | None) -> datetime:
        """A moment of the stopwatch by the server's clock."""
        return self._context.server_time_of(moment, told)


class _Search:
    """Looks for one report, some times.

    Attributes:
        doubt: Why it may be there though the last look did not find it; None if it is not there.
    """

    def __init__(self, creator: Creator, wanted: Wanted, sent_at: float | None) -> None:
        self._creator = creator
        self._wanted = wanted
        self._sent_at = sent_at
        self._suspect: str | None = None
        self.doubt: str | None = UNREADABLE

    def find(self, until: float) -> Report | None:
        """The report; None if it is not there, or not surely.

        Args:
            until: No request begins after this moment of the stopwatch.
        """
        self.doubt = UNREADABLE
        nameless: dict[str, Report] = {}
        pages: list[Page] = []
        has_undated = False
        for page in self._creator.read_pages(self._wanted, until):
            pages.append(page)
            for row in page.rows:
                is_alike = self._is_alike(row)
                mark = self._creator.read_mark(row, until, ask=is_alike)
                if mark == self._wanted.token:
                    return read_model(Report, row, page.request_id)
                if mark is not None:
                    self._creator.keeps_metadata = True
                elif is_alike and parse_instant(row.get("created_at")) is None:
                    has_undated = True
                elif is_alike and self._is_of_the_time(row, page.server_time):
                    nameless[str(row.get("id"))] = read_model(Report, row, page.request_id)
        if self._creator.keeps_metadata:
            nameless, has_undated = {}, False
        self.doubt = MAY_BE if nameless or has_undated else None
        if not is_whole(pages, self._wanted.listed_since):
            self.doubt = TOO_LONG
        return self._choose(nameless)

    def _choose(self, nameless: Mapping[str, Report]) -> Report | None:
        """The one report of the same prompt and warehouse, once two looks in a row have found it alone."""
        only = next(iter(nameless)) if len(nameless) == 1 and self._creator.is_alone(self._wanted) else None
        if only is None or only != self._suspect:
            self._suspect = only
            return None
        logger.warning(
            "the API does not keep metadata: report %s is taken for the one whose answer was lost, by its prompt", only
        )
        return nameless[only]

    def _is_alike(self, row: Mapping[str, Any]) -> bool:
        """Whether a report is of the same warehouse and prompt, and not known to be another's."""
        subject = row.get("warehouse_id"), row.get("prompt")
        return subject == self._wanted.subject and not self._creator.is_anothers(row.get("id"), self._wanted)

    def _is_of_the_time(self, row: Mapping[str, Any], told: datetime | None) -> bool:
        created = parse_instant(row.get("created_at"))
        if created is None:
            return False
        if self._sent_at is None:
            return created >= shift(self._wanted.since, -MARGIN_SECONDS)
        return created >= shift(self._creator.server_time_of(self._sent_at, told), -DRIFT_SECONDS)


def _describe_rest(done: int, all_of_them: int, error: CognyError) -> str:
    if isinstance(error, OutcomeUnknown):
        return f"{done} of {all_of_them} reports are created; whether the next one is, is not known: {MANY_ADVICE}"
    return f"{done} of {all_of_them} reports are created; the next one is not: {error.message}"


def is_whole(pages: Sequence[Page], since: datetime) -> bool:
    """Whether pages hold every report from a moment on: the list ended, or came newest first and went past it."""
    if not pages or not pages[-1].has_more:
        return True
    instants = [instant for page in pages for instant in page.instants("created_at") if instant is not None]
    return bool(instants) and instants == sorted(instants, reverse=True) and instants[-1] < since
