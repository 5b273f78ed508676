"""Pages: a list is read to its end, and never round in circles."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from cogny_source.api.calls import Params
from cogny_source.api.envelope import Answer
from cogny_source.api.http_client import HttpClient
from cogny_source.api.meter import Meter
from cogny_source.api.pagination import MAX_STALE_PAGES, Page, iter_pages, read_page
from cogny_source.errors import AnswerTooLarge, BadRequest, ContractError, PaginationError, ServerError
from cogny_source.sandbox import SandboxServer

if TYPE_CHECKING:
    from tests.support.edge import Edge

NOON = datetime(2025, 6, 2, 12, tzinfo=UTC)


class Listing:
    """Answers from a list, one a request, in place of a client."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        """Keep the answers, and what is asked."""
        self._answers = iter(answers)
        self.asked: list[tuple[str, Params, str | None]] = []

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """The next answer, which costs one request."""
        meter.requests += 1
        self.asked.append((path, dict(params), scope))
        return next(self._answers)


def answer(rows: Any, **pagination: Any) -> Answer:
    """An answer with rows of these ids."""
    data = [{"id": identity} for identity in rows] if isinstance(rows, range | list | str) else rows
    return Answer(data, pagination, NOON, "req_1")


def more(rows: Any, cursor: object, **pagination: Any) -> Answer:
    """An answer that another page follows."""
    return answer(rows, has_more=True, next_cursor=cursor, **pagination)


def last(rows: Any, **pagination: Any) -> Answer:
    """The answer that ends a list."""
    return answer(rows, has_more=False, next_cursor=None, **pagination)


def read(answers: Iterable[Answer]) -> tuple[list[list[Any]], PaginationError | None]:
    """The ids of each page that came out, and the error that ended the reading."""
    pages: list[list[Any]] = []
    try:
        for page in iter_pages(Listing(answers), "/tickets", {}, Meter()):
            pages.append([row["id"] for row in page.rows])
    except PaginationError as error:
        return pages, error
    return pages, None


def test_a_list_is_read_page_by_page_to_its_end() -> None:
    """Each request repeats the filters, asks for a hundred rows, and carries the cursor of the page before."""
    listing = Listing([more("ab", "c1"), more("c", "c2"), last("d")])
    pages = list(iter_pages(listing, "/tickets", {"sort": "updated_at"}, Meter(), scope="tickets:read"))
    assert [[row["id"] for row in page.rows] for page in pages] == [["a", "b"], ["c"], ["d"]]
    assert listing.asked == [
        ("/tickets", {"sort": "updated_at", "limit": 100}, "tickets:read"),
        ("/tickets", {"sort": "updated_at", "limit": 100, "cursor": "c1"}, "tickets:read"),
        ("/tickets", {"sort": "updated_at", "limit": 100, "cursor": "c2"}, "tickets:read"),
    ]


def test_pages_come_as_they_are_read() -> None:
    """The second request is sent when the second page is asked for."""
    listing = Listing([more("a", "c1"), last("b")])
    pages = iter_pages(listing, "/tickets", {}, Meter())
    assert next(pages).next_cursor == "c1"
    assert len(listing.asked) == 1


@pytest.mark.parametrize("pagination", [{}, {"has_more": False}, {"has_more": False, "next_cursor": "c1"}])
def test_a_list_without_more_is_complete(pagination: dict[str, Any]) -> None:
    """Without pagination, or where it says so, one page is all."""
    assert read([answer("ab", **pagination)]) == ([["a", "b"]], None)


@pytest.mark.parametrize("has_more", ["true", "false", 1, None])
def test_has_more_that_is_no_boolean_breaks_the_contract(has_more: object) -> None:
    """Whether rows follow is not guessed: taking it for the end would lose them in silence."""
    with pytest.raises(ContractError):
        read([answer("a", has_more=has_more, next_cursor="c1"), last("b")])


def test_a_cursor_without_has_more_breaks_the_contract() -> None:
    """Pagination that names a next page but does not say whether there is one is not taken for the end."""
    with pytest.raises(ContractError):
        read([answer("a", next_cursor="c1"), last("b")])


@pytest.mark.parametrize("cursor", [None, "", 7, ["c1"]])
def test_more_without_a_cursor_is_an_error(cursor: object) -> None:
    """A page that cannot be followed ends the reading before it comes out."""
    pages, error = read([more("a", "c1"), more("b", cursor)])
    assert (pages, str(error)) == (
        [["a"]],
        "the API says has_more but gives no cursor (path /tickets, request id req_1)",
    )


@pytest.mark.parametrize("cursors", [["c1", "c1"], ["c1", "c2", "c1"], ["c1", "c2", "c3", "c2"]])
def test_a_repeated_cursor_is_an_error(cursors: list[str]) -> None:
    """A cursor that was followed before leads in circles, at once or later."""
    pages, error = read(more([place], cursor) for place, cursor in enumerate(cursors))
    assert pages == [[place] for place in range(len(cursors) - 1)]
    assert str(error) == "the API gave the same cursor twice (path /tickets, request id req_1)"


def test_pages_that_repeat_for_ever_are_an_error() -> None:
    """After a hundred pages in a row that were all there before, a list with fresh cursors is given up."""
    pages, error = read(more("ab", f"c{number}") for number in range(10_000))
    assert pages == [["a", "b"]] * MAX_STALE_PAGES
    assert MAX_STALE_PAGES == 100
    assert error is not None
    assert error.message == "the list has no end: its last 100 pages brought nothing new"


def test_empty_pages_for_ever_are_an_error() -> None:
    """A hundred empty pages that promise more bring nothing new either."""
    pages, error = read(more("", f"c{number}") for number in range(10_000))
    assert pages == [[]] * 99
    assert type(error) is PaginationError


def test_a_new_page_after_many_repeated_ones_is_no_error() -> None:
    """Rows that change while they are listed come again; what is new starts the count afresh."""
    answers = [more("a", f"a{number}") for number in range(100)]
    answers += [more("b", f"b{number}") for number in range(100)]
    pages, error = read([*answers, last("c")])
    assert (pages, error) == ([["a"]] * 100 + [["b"]] * 100 + [["c"]], None)


def growing(total_count: int | None, pages: int) -> list[Answer]:
    """Pages of 100 new rows each."""
    rows = [range(number * 100, number * 100 + 100) for number in range(pages)]
    counted = {} if total_count is None else {"total_count": total_count}
    return [more(page, f"c{page.start}", **counted) for page in rows]


@pytest.mark.parametrize("total_count", [-1, 0, 100, 10_000], ids=lambda count: f"counts-{count}")
def test_a_list_with_news_on_each_page_goes_on_whatever_is_counted(total_count: int) -> None:
    """A count may be that of the page, one that stands for none, or end at ten thousand."""
    pages, error = read([*growing(total_count, 310), last("y")])
    assert (sum(map(len, pages)), error) == (31_001, None)


def test_pages_of_the_same_rows_in_other_orders_are_no_news() -> None:
    """Whatever cursors and orders are made up, rows that all came before bring nothing new."""
    rows = list(range(150))
    pages, error = read(more(rows[n % 50 :][:100], f"c{n}") for n in range(10_000))
    assert error is not None
    assert error.message == "the list has no end: its last 100 pages brought nothing new"
    assert len(pages) == 50 + 99


def test_rows_in_newer_versions_are_news() -> None:
    """A list of changes in which the same rows change again and again goes on."""
    changed = [[{"id": row, "updated_at": n} for row in range(10)] for n in range(300)]
    answers = [more(rows, f"c{n}") for n, rows in enumerate(changed)]
    pages, error = read([*answers, last("y")])
    assert (len(pages), error) == (301, None)


def test_the_end_of_a_list_is_believed_however_long_it_was() -> None:
    """A last page is a last page."""
    pages, error = read([*growing(50, 101), last(range(100), total_count=50)])
    assert (sum(map(len, pages)), error) == (10_200, None)


def test_a_list_may_grow_with_its_count() -> None:
    """The most that was counted is what the rows are measured against."""
    grown = growing(5000, 150)
    assert read([more("x", "x", total_count=50), *grown, last("y", total_count=10)])[1] is None


def test_without_a_count_a_list_may_be_of_any_length() -> None:
    """Where the API counts nothing, there is nothing to outgrow."""
    assert read([*growing(None, 300), last("y")])[1] is None


def test_the_meter_counts_pages_rows_and_the_most_counted() -> None:
    """What a list cost and what the API said of it are kept, across lists of one resource."""
    meter = Meter()
    list(iter_pages(Listing([more("ab", "c1", total_count=3), last("c", total_count=2)]), "/tickets", {}, meter))
    list(iter_pages(Listing([last("d", total_count=1)]), "/tickets", {}, meter))
    assert meter == Meter(requests=3, pages=3, rows=4, total_count=3)


def test_a_meter_of_lists_that_are_not_counted_tells_no_count() -> None:
    """No count is not a count of none."""
    meter = Meter()
    list(iter_pages(Listing([answer("a")]), "/tickets", {}, meter))
    assert meter == Meter(requests=1, pages=1, rows=1, total_count=None)


def test_each_page_leaves_a_debug_line(caplog: pytest.LogCaptureFixture) -> None:
    """Path, rows and request id are told, no row is."""
    with caplog.at_level(logging.DEBUG, "cogny_source"):
        read([last("ab")])
    assert caplog.messages == ["/tickets: page of 2 rows, request id req_1"]


def test_a_page_holds_what_the_answer_says() -> None:
    """Rows, cursor, count, clock and request id."""
    page = read_page(more("a", "c1", total_count=7), "/tickets")
    assert page == Page([{"id": "a"}], True, "c1", 7, NOON, "req_1")


@pytest.mark.parametrize("data", [None, {"id": "a"}, 7, [["a"]], [{"id": "a"}, None]], ids=repr)
def test_a_list_of_anything_but_objects_breaks_the_contract(data: object) -> None:
    """Rows that are no objects are not passed over."""
    with pytest.raises(ContractError) as caught:
        read_page(Answer(data, {}, NOON, "req_1"), "/tickets")
    assert str(caught.value) == (
        "the API answered a list request with something else (path /tickets, request id req_1)"
    )
    assert type(caught.value) is ContractError


Made = Callable[..., HttpClient]


def walk(client: HttpClient, path: str, meter: Meter, **params: Any) -> list[Mapping[str, Any]]:
    """Every row of a list."""
    return [row for page in iter_pages(client, path, params, meter) for row in page.rows]


@pytest.mark.parametrize(("resource", "pages"), [("tickets", 3), ("reports", 1), ("warehouses", 1)])
def test_the_sandboxes_lists_come_whole(
    sandbox: SandboxServer, make_client: Made, meter: Meter, resource: str, pages: int
) -> None:
    """Every row comes once, in order, with pagination and without."""
    assert walk(make_client(sandbox.base_url), f"/{resource}", meter) == sandbox.world.rows(resource)
    assert (meter.pages, meter.requests) == (pages, pages)


@pytest.mark.parametrize(
    ("switch", "message", "requests"),
    [
        ("repeat_cursor", "the API gave the same cursor twice", 2),
        ("missing_cursor", "the API says has_more but gives no cursor", 1),
        ("endless", "the list has no end: its last 100 pages brought nothing new", 101),
    ],
)
def test_the_sandboxes_broken_lists_are_given_up(
    sandbox: SandboxServer, make_client: Made, meter: Meter, switch: str, message: str, requests: int
) -> None:
    """Each way of never ending is noticed, and not tried again."""
    setattr(sandbox.switches, switch, True)
    with pytest.raises(PaginationError) as caught:
        walk(make_client(sandbox.base_url), "/tickets", meter)
    assert caught.value.message == message
    assert (len(sandbox.requests), meter.retries) == (requests, 0)


@pytest.mark.parametrize("resource", ["tickets", "reports", "warehouses"])
def test_null_is_an_empty_list(edge: Edge, make_client: Made, meter: Meter, resource: str) -> None:
    """An API that writes null for no rows has none, with pagination and without."""
    edge.will_answer({"success": True, "data": None, "pagination": {"has_more": False, "total_count": 0}})
    edge.will_answer({"success": True, "data": None})
    client = make_client(edge.base_url)
    assert [walk(client, f"/{resource}", meter) for _ in range(2)] == [[], []]
    assert meter.requests == 2


@pytest.mark.parametrize(
    "answer", [Answer(None, {"total_count": 3}, NOON, "req_1", confirmed=True), Answer(None, None, NOON, "req_1")]
)
def test_null_that_nobody_confirms_is_no_list(answer: Answer) -> None:
    """Beside a count of rows, or without the word success, it may stand for anything."""
    with pytest.raises(ContractError, match="something else"):
        read_page(answer, "/tickets")


@pytest.mark.parametrize("data", [[], None], ids=repr)
def test_an_empty_list_of_many_rows_is_asked_for_again(
    edge: Edge, make_client: Made, meter: Meter, data: object
) -> None:
    """A first page without a row beside a count of 1,200 passes for a failure, and the next one counts."""
    empty = {"success": True, "data": data, "pagination": {"has_more": False, "total_count": 1200}}
    rows = [{"id": "tkt_1"}]
    edge.will_answer(empty)
    edge.will_answer({"success": True, "data": rows, "pagination": {"has_more": False, "total_count": 1}})
    assert walk(make_client(edge.base_url), "/tickets", meter, sort="created_at") == rows
    assert (meter.requests, meter.retries) == (2, 1)


def test_a_list_that_stays_empty_beside_its_count_is_given_up(edge: Edge, make_client: Made, meter: Meter) -> None:
    """Five times the same contradiction, within a quarter of a minute, is an error."""
    edge.will_answer({"success": True, "data": [], "pagination": {"has_more": False, "total_count": 7}})
    with pytest.raises(ServerError, match="the list is empty, but the API counts 7 rows in it; tried 5 times in 8 s"):
        walk(make_client(edge.base_url), "/tickets", meter)
    assert meter.requests == 5


def test_an_empty_page_of_a_filtered_list_is_believed(edge: Edge, make_client: Made, meter: Meter) -> None:
    """Its count may be that of all rows."""
    edge.will_answer({"success": True, "data": [], "pagination": {"has_more": False, "total_count": 7}})
    assert walk(make_client(edge.base_url), "/tickets", meter, updated_after="2025-01-01T00:00:00Z") == []
    assert meter.requests == 1


@pytest.mark.parametrize(
    ("path", "identity", "told"),
    [
        ("/reports", "tkt_1", "the API listed a row of /tickets here: its id begins with tkt_"),
        ("/warehouses", "rpt_1", "the API listed a row of /reports here: its id begins with rpt_"),
        ("/tickets", "wh_1", "the API listed a row of /warehouses here: its id begins with wh_"),
    ],
)
def test_a_row_of_another_list_is_refused(path: str, identity: str, told: str) -> None:
    """An answer that belongs to another request never fills a table."""
    with pytest.raises(ContractError, match=told):
        read_page(last([path[1:4], identity]), path)
    read_page(last([identity]), "/elsewhere")


def test_a_page_that_is_too_large_is_asked_for_in_parts(
    edge: Edge, make_client: Made, meter: Meter, caplog: pytest.LogCaptureFixture
) -> None:
    """Fewer rows a page fit the bound, and the list goes on with those."""
    large = [{"id": f"tkt_{n}", "title": "x" * 1000} for n in range(100)]
    edge.will_answer({"success": True, "data": large})
    edge.will_answer({"success": True, "data": large[:20], "pagination": {"has_more": True, "next_cursor": "c"}})
    edge.will_answer({"success": True, "data": large[20:40], "pagination": {"has_more": False}})
    assert walk(make_client(edge.base_url, max_answer_megabytes=0.05), "/tickets", meter) == large[:40]
    assert [path for path, _ in edge.received] == [
        "/v1/tickets?limit=100",
        "/v1/tickets?limit=20",
        "/v1/tickets?limit=20&cursor=c",
    ]
    assert caplog.messages[0].endswith("; reading the list on with 20 rows a page")


def test_a_row_that_is_too_large_alone_is_an_error(edge: Edge, make_client: Made, meter: Meter) -> None:
    """It names the setting, and nothing is asked for without end."""
    edge.will_answer({"success": True, "data": [{"id": "tkt_1", "title": "x" * 10_000}]})
    with pytest.raises(AnswerTooLarge, match=r"^the answer holds more than 0\.001 MB \(max_answer_megabytes\)"):
        walk(make_client(edge.base_url, max_answer_megabytes=0.001), "/tickets", meter)
    assert (len(edge.received), meter.retries) == (4, 0)


def test_an_expired_cursor_is_a_refusal(sandbox: SandboxServer, make_client: Made, meter: Meter) -> None:
    """The pages before it came out; the 400 is the caller's to answer."""
    sandbox.switches.cursor_lifetime_pages = 1
    pages = iter_pages(make_client(sandbox.base_url), "/tickets", {}, meter)
    assert [len(next(pages).rows) for _ in range(2)] == [100, 100]
    with pytest.raises(BadRequest, match=r"^cursor expired \(path /tickets, status 400, code INVALID_PARAMETER"):
        next(pages)
    assert len(sandbox.requests) == 3


@pytest.mark.parametrize(
    ("told", "count"),
    [
        (5, 5), (0, 0), ("450", 450), (450.0, 450), (4.5, None), (-1, None), ("-1", None), ("many", None), ("", None),
        (True, None), (None, None), ([3], None), (1e300, int(1e300)), (float("inf"), None), ("9" * 40, int("9" * 18)),
    ],
)  # fmt: skip
def test_a_count_is_read_in_any_form_that_is_one(told: object, count: int | None) -> None:
    """A whole number, as a number or as a text; whatever else comes is no count."""
    pagination = {"has_more": False, "next_cursor": None, "total_count": told}
    page = read_page(Answer([], pagination, None, None), "/tickets")
    assert page.total_count == count
