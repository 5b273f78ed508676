"""Tickets: changes whose answer was lost are looked up, and nothing is written twice."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cogny_source.client import OutcomeUnknown, Ticket
from cogny_source.errors import ContractError, NotFound, ServerError
from cogny_source.sandbox.answers import Answer
from cogny_source.testing import KEY, SandboxCogny

Open = Callable[..., SandboxCogny]
LOSSES = ("lost_reset", "lost_504", "lost_524", "lost_cut", "lost_empty")


def ids_of(client: SandboxCogny, count: int) -> list[str]:
    """The first tickets."""
    return [row["id"] for row in client.sandbox.rows("tickets")[:count]]


def row_of(client: SandboxCogny, identity: str) -> dict[str, Any]:
    """A ticket as the API has it."""
    return next(row for row in client.sandbox.rows("tickets") if row["id"] == identity)


def writes(client: SandboxCogny) -> list[tuple[str, str]]:
    """The requests that wrote."""
    return [request for request in client.sandbox.requests if request[0] != "GET"]


def test_get_and_stats(client: SandboxCogny) -> None:
    """A ticket, and the aggregates as they come."""
    [identity] = ids_of(client, 1)
    assert client.tickets.get(identity).raw == row_of(client, identity)
    assert client.tickets.stats().extra["total_count"] == 200
    with pytest.raises(NotFound):
        client.tickets.get("tkt_none")


def test_update_changes_what_is_named(client: SandboxCogny) -> None:
    """None clears, and what is not named stays."""
    [identity] = ids_of(client, 1)
    before = client.tickets.get(identity)
    ticket = client.tickets.update(identity, status="completed", notes=None, action_items=["Ask"])
    assert (ticket.status, ticket.notes, ticket.action_items) == ("completed", None, ("Ask",))
    assert (ticket.assignee, ticket.priority) == (before.assignee, before.priority)


Write = Callable[[SandboxCogny, str], Ticket]
WRITES: list[tuple[Write, dict[str, Any]]] = [
    (lambda c, it: c.tickets.update(it, status="completed", assignee="li"), {"status": "completed", "assignee": "li"}),
    (lambda c, it: c.tickets.update(it, action_items=["a"], notes=None), {"action_items": ["a"], "notes": None}),
    (lambda c, it: c.tickets.dismiss(it, "not_applicable", "x"), {"status": "dismissed", "notes": "x"}),
]


@pytest.mark.parametrize("fault", LOSSES)
@pytest.mark.parametrize(("write", "changes"), WRITES)
def test_a_lost_answer_is_looked_up(client: SandboxCogny, write: Write, changes: dict[str, Any], fault: str) -> None:
    """The ticket is as asked, and it was written once."""
    [identity] = ids_of(client, 1)
    client.sandbox.fail_next(fault)
    assert changes.items() <= dict(write(client, identity).raw).items()
    assert changes.items() <= row_of(client, identity).items()
    assert len(writes(client)) == 1


@pytest.mark.parametrize(("write", "changes"), WRITES)
def test_a_write_that_did_not_run_is_told_of(client: SandboxCogny, write: Write, changes: dict[str, Any]) -> None:
    """After looks for a quarter of a minute: it may still be under way, so it is not sent again."""
    [identity] = ids_of(client, 1)
    client.sandbox.world.patch("tickets", identity, status="open", action_items=[], notes="before")
    client.sandbox.fail_next("html_504")
    began = client.sandbox.clock()
    with pytest.raises(OutcomeUnknown) as caught:
        write(client, identity)
    assert (caught.value.token, client.sandbox.clock() - began) == (None, 15.0)
    assert len(writes(client)) == 1
    assert not changes.items() <= row_of(client, identity).items()


def test_a_look_that_fails_is_not_the_last(client: SandboxCogny) -> None:
    """The API was away for a moment."""
    [identity] = ids_of(client, 1)
    client.sandbox.fail_next("lost_504", *["error_500"] * 7)
    assert client.tickets.update(identity, notes="x").notes == "x"


def test_bulk_updates_count(client: SandboxCogny) -> None:
    """What was there and what was not; an id that is named twice counts once."""
    ids = ids_of(client, 3)
    done = client.tickets.bulk_update([*ids, ids[0], "tkt_none"], priority="critical")
    assert (done.updated_count, done.failed_count, done.updated_ids) == (3, 1, tuple(ids))


@pytest.mark.parametrize("fault", LOSSES)
def test_a_small_bulk_update_is_looked_up(client: SandboxCogny, fault: str) -> None:
    """Ticket by ticket."""
    ids = ids_of(client, 20)
    client.sandbox.fail_next(fault)
    done = client.tickets.bulk_update([*ids[:19], "tkt_none"], status="dismissed", notes=fault)
    assert (done.updated_count, done.failed_count, done.updated_ids) == (19, 1, tuple(ids[:19]))
    assert len(writes(client)) == 1


@pytest.mark.parametrize(("count", "fault"), [(21, "lost_504"), (3, "html_504")])
def test_another_bulk_update_is_told_of(client: SandboxCogny, count: int, fault: str) -> None:
    """A large one costs too many requests, and one that is not there may be under way."""
    client.sandbox.fail_next(fault)
    with pytest.raises(OutcomeUnknown, match="make the same change again"):
        client.tickets.bulk_update(ids_of(client, count), notes="new")
    assert len(writes(client)) == 1


def test_an_export_is_downloaded_without_the_key(client: SandboxCogny) -> None:
    """From another origin, which would refuse it."""
    export = client.tickets.export("jira", status="open", include_fields=["title"])
    assert export.download_url is not None
    assert export.download_url.startswith("https://files.api.sandbox.invalid/")
    content = client.tickets.download(export)
    titles = [row["title"] for row in client.sandbox.rows("tickets") if row["status"] == "open"]
    assert export.ticket_count == len(titles)
    rows = csv.DictReader(io.StringIO(content.decode(), newline=""))
    assert [row["Summary"] for row in rows] == titles


def test_a_lost_export_is_told_of(client: SandboxCogny) -> None:
    """Nothing is left by which it could be found."""
    client.sandbox.fail_next("lost_504")
    with pytest.raises(OutcomeUnknown, match="export again"):
        client.tickets.export()
    assert len(writes(client)) == 1


class Files:
    """Answers downloads in place of the sandbox, and keeps the headers that they came with."""

    def __init__(self, client: SandboxCogny, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.seen: list[tuple[str, bool]] = []
        api = client.sandbox._api
        answer = api.answer

        def serve(request: Any) -> Answer:
            url = f"https://{request.headers['host']}{request.path}"
            self.seen.append((url, bool({"authorization", "x-api-key"} & request.headers.keys())))
            if url not in self.answers:
                return answer(request)
            answers = self.answers[url]
            return answers.pop(0) if len(answers) > 1 else answers[0]

        monkeypatch.setattr(api, "answer", serve)


ORIGIN = "https://api.sandbox.invalid"
HERE, THERE = f"{ORIGIN}/v1/files/1", "https://elsewhere.invalid/1"


def redirect(url: str) -> Answer:
    """A redirect to a URL."""
    return Answer(302, b"", headers={"Location": url})


@pytest.mark.parametrize("header", ["bearer", "x-api-key"])
def test_a_redirect_does_not_carry_the_key_elsewhere(
    open_client: Open, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    """It goes along to the API's own origin, and to no other."""
    client = open_client(settings={"auth_header": header})
    files = Files(client, monkeypatch)
    other_port = "https://api.sandbox.invalid:8443/1"
    files.answers = {
        HERE: [redirect(THERE)],
        THERE: [redirect(other_port)],
        other_port: [redirect("/2")],
        "https://api.sandbox.invalid:8443/2": [Answer(200, b"done")],
    }
    export = client.tickets.export()
    files.seen.clear()
    assert client.tickets.download(replace_url(export, HERE)) == b"done"
    assert files.seen == [
        (HERE, True),
        (THERE, False),
        (other_port, False),
        ("https://api.sandbox.invalid:8443/2", False),
    ]
    assert KEY not in str(files.seen)


# The host is another one for one parser than for the next, or the request would not carry the key alone.
MISREAD = [
    "https://elsewhere.invalid\\@api.sandbox.invalid/1",
    "https://elsewhere.invalid\\.api.sandbox.invalid/1",
    "https://user:word@api.sandbox.invalid/1",
    "https://api.sandbox.invalid@elsewhere.invalid/1",
    "https://api.sandbox.invalid\t.elsewhere.invalid/1",
    "https:\\\\elsewhere.invalid/1",
    "https:///elsewhere.invalid/1",
]


def replace_url(export: Any, url: str | None) -> Any:
    """The export with another URL."""
    return replace(export, download_url=url)


@pytest.mark.parametrize(
    ("url", "answers", "kind"),
    [
        ("http://elsewhere.invalid/1", [], ContractError),
        ("ftp://elsewhere.invalid/1", [], ContractError),
        ("https://[x", [], ContractError),
        ("https://elsewhere.invalid:99999/1", [], ContractError),
        *((url, [], ContractError) for url in MISREAD),
        *((THERE, [redirect(url)], ContractError) for url in MISREAD[:-1]),
        (THERE, [redirect("https://[x")], ContractError),
        (THERE, [redirect("//elsewhere.invalid:99999/1")], ContractError),
        (None, [], ContractError),
        (THERE, [redirect(THERE)], ContractError),
        (THERE, [redirect("http://elsewhere.invalid/1")], ContractError),
        (THERE, [Answer(403, b"expired")], NotFound),
        (THERE, [Answer(404, b"")], NotFound),
        (THERE, [Answer(503, b"")], ServerError),
    ],
)
def test_downloads_that_fail(
    client: SandboxCogny, monkeypatch: pytest.MonkeyPatch, url: str | None, answers: list[Answer], kind: type[Exception]
) -> None:
    """Each as an error of its own; no URL that others can read on its way is called."""
    files = Files(client, monkeypatch)
    files.answers = {THERE: answers}
    with pytest.raises(kind) as caught:
        client.tickets.download(replace_url(client.tickets.export(), url))
    assert not any(seen.startswith("http://") for seen, _ in files.seen)
    assert "elsewhere" not in str(caught.value)
    assert [seen for seen, has_key in files.seen if has_key and not seen.startswith(f"{ORIGIN}/")] == []


def test_a_download_outlives_a_short_outage(client: SandboxCogny, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read again."""
    files = Files(client, monkeypatch)
    files.answers = {THERE: [Answer(503, b""), Answer(0, b"", fault="reset"), Answer(200, b"done")]}
    assert client.tickets.download(replace_url(client.tickets.export(), THERE)) == b"done"
