"""Creating: whatever happens to an answer, no report is made twice, and each is returned or told of."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cogny_source.client import CreationIncomplete, OutcomeUnknown, Report, ReportRequest
from cogny_source.client.creating import MARK, make_token, read_moment
from cogny_source.errors import ContractError, NotFound, RateLimited
from cogny_source.sandbox.answers import Answer
from cogny_source.testing import SandboxCogny

Open = Callable[..., SandboxCogny]
LOSSES = ("lost_reset", "lost_504", "lost_524", "lost_cut", "lost_empty")
PROMPT = "Why did sign-ups fall?"
# Together 30 %: each is drawn after those before it.
LOST = {"lost_reset": 0.07, "lost_504": 0.075, "lost_524": 0.08, "lost_cut": 0.085, "lost_empty": 0.03}


def made(client: SandboxCogny) -> list[dict[str, Any]]:
    """The reports that the API made, beside those that were there."""
    return client.sandbox.rows("reports")[20:]


def create(client: SandboxCogny, prompt: str = PROMPT, **more: Any) -> Report:
    """Create a report in the first warehouse."""
    return client.reports.create(client.sandbox.warehouse_id, prompt, **more)


def posts(client: SandboxCogny) -> int:
    """How often a report was asked for."""
    return client.sandbox.requests.count(("POST", "/reports"))


def create_many_times(client: SandboxCogny, times: int) -> tuple[list[str], list[str]]:
    """The ids that were returned, and the tokens of those that were told of."""
    returned, told = [], []
    for _ in range(times):
        try:
            returned.append(create(client).id)
        except OutcomeUnknown as error:
            told.append(str(error.token))
    return returned, told


@pytest.mark.parametrize("seed", [0, 1])
def test_two_hundred_creates_with_lost_answers(open_client: Open, seed: int) -> None:
    """With 30 % of the answers lost, none is doubled, none is missing, and each is returned."""
    client = open_client(**LOST, fault_seed=seed)
    returned, told = create_many_times(client, 200)
    assert (len(set(returned)), told) == (200, [])
    assert Counter(row["id"] for row in made(client)) == Counter(returned)
    assert posts(client) == 200
    looks = client.sandbox.requests.count(("GET", "/reports"))
    assert 40 <= looks <= 80


@pytest.mark.parametrize(
    "switches",
    [
        {"listed_after_seconds": 12.0},
        {"ignored_filters": {"reports": ["*"]}, "ignored_sorts": {"reports": "oldest_first"}},
        {"ignored_filters": {"reports": ["*"]}, "ignored_sorts": {"reports": "newest_first"}, "cursor_kind": "offset"},
        {"metadata_dropped": True},
        {"metadata_dropped": True, "listed_after_seconds": 4.0},
        {"html_502": 0.1, "error_500": 0.05, "rate_limited": 0.05},
        {"clock_offset_seconds": 3600.0},
        {"clock_offset_seconds": -3600.0},
        {"pagination_omitted": ["reports"]},
    ],
    ids=["late list", "oldest first", "newest first", "no metadata", "neither", "outages", "ahead", "behind", "whole"],
)
def test_lists_that_are_no_help(open_client: Open, switches: dict[str, Any]) -> None:
    """Nothing is doubled, and everything is returned or told of; in each of these nearly everything is found."""
    client = open_client(**LOST, **switches)
    returned, told = create_many_times(client, 60)
    rows = made(client)
    assert len(rows) <= 60
    assert len(returned) == len(set(returned))
    assert set(returned) <= {row["id"] for row in rows}
    assert len(returned) + len(told) == 60
    unsure = {row["id"] for row in rows} - set(returned)
    assert len(unsure) <= len(told)
    # An outage before the effect leaves nothing to be found.
    assert len(told) <= (15 if "html_502" in switches else 0)


def test_a_list_that_never_shows_the_report(open_client: Open) -> None:
    """It is told of, with a token that finds it later; nothing is sent again."""
    client = open_client(listed_after_seconds=100.0)
    client.sandbox.fail_next("lost_504")
    began = client.sandbox.clock()
    with pytest.raises(OutcomeUnknown, match="may have taken effect") as caught:
        create(client)
    assert client.sandbox.clock() - began == 15.0
    assert posts(client) == 1
    client.sandbox.clock.sleep(100)
    report = create(client, token=caught.value.token)
    assert (posts(client), [row["id"] for row in made(client)]) == (1, [report.id])


def test_a_token_whose_report_is_not_there_creates_it(client: SandboxCogny) -> None:
    """After it was looked for as long as ever."""
    client.sandbox.fail_next("html_504")
    with pytest.raises(OutcomeUnknown) as caught:
        create(client)
    assert made(client) == []
    report = create(client, token=caught.value.token)
    assert [(row["id"], row["metadata"][MARK]) for row in made(client)] == [(report.id, caught.value.token)]


def test_a_token_of_another_form_does_too(client: SandboxCogny) -> None:
    """A job that runs each Monday may name its report itself."""
    first = create(client, token="weekly-2025-23")
    assert create(client, token="weekly-2025-23").id == first.id
    assert len(made(client)) == 1


def test_a_token_of_ones_own_is_good_for_months(client: SandboxCogny) -> None:
    """Another week's report of the same prompt is not taken for it."""
    first = create(client, token="monthly-2025-06")
    client.sandbox.clock.sleep(20 * 86_400)
    assert create(client, token="weekly-2025-25").id != first.id
    assert create(client, token="monthly-2025-06").id == first.id
    assert len(made(client)) == 2


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
def test_a_list_that_is_too_long_is_no_proof(open_client: Open, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten pages in the wrong order do not show that a report is not there: it is told of, and not created."""
    monkeypatch.setattr("cogny_source.client.creating.MOST_PAGES", 1)
    client = open_client(reports=150, ignored_filters={"reports": ["*"]}, ignored_sorts={"reports": order})
    if order == "newest_first":
        assert create(client, token="weekly-2025-25").status == "queued"
        return
    with pytest.raises(OutcomeUnknown, match="too long to be looked through"):
        create(client, token="weekly-2025-25")
    assert posts(client) == 0


def test_the_token_counts_whatever_became_of_the_prompt(client: SandboxCogny, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API may trim it."""
    answer = client.sandbox._api.answer

    def trim(request: Any) -> Answer:
        answered = answer(request)
        return replace(answered, body=answered.body.replace(b"  Why? ", b"Why?"))

    monkeypatch.setattr(client.sandbox._api, "answer", trim)
    client.sandbox.fail_next("lost_504")
    report = create(client, "  Why? ")
    assert (report.id, report.prompt) == (made(client)[0]["id"], "Why?")


def test_a_list_that_leaves_metadata_out(client: SandboxCogny, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report's own answer holds it."""
    answer = client.sandbox._api.answer

    def strip(request: Any) -> Answer:
        answered = answer(request)
        if (request.method, request.path) != ("GET", "/v1/reports"):
            return answered
        return replace(answered, body=re.sub(rb'"metadata":\{[^{}]*\}', b'"more":0', answered.body))

    create(client, "Another?")
    monkeypatch.setattr(client.sandbox._api, "answer", strip)
    client.sandbox.fail_next("lost_504")
    assert create(client).id == made(client)[1]["id"]
    client.sandbox.fail_next("html_504")
    with pytest.raises(OutcomeUnknown):
        create(client, "A third?")


@pytest.mark.parametrize("fault", ["html_521", "rate_limited"])
def test_what_did_not_run_is_sent_again(client: SandboxCogny, fault: str) -> None:
    """Without a look."""
    client.sandbox.fail_next(fault)
    report = create(client)
    assert [row["id"] for row in made(client)] == [report.id]
    assert client.sandbox.requests == [("POST", "/reports")] * 2


@pytest.mark.parametrize("fault", LOSSES)
def test_each_loss_is_found_by_its_token(client: SandboxCogny, fault: str) -> None:
    """At the first look, with the report as the list shows it."""
    client.sandbox.fail_next(fault)
    report = create(client, metadata={"team": "growth"})
    [row] = made(client)
    assert (report.id, report.metadata) == (row["id"], row["metadata"])
    assert row["metadata"]["team"] == "growth"
    assert client.sandbox.requests == [("POST", "/reports"), ("GET", "/reports")]


def test_a_refusal_is_raised_at_once(client: SandboxCogny) -> None:
    """It would be refused again."""
    with pytest.raises(NotFound):
        client.reports.create("wh_none", PROMPT)
    assert client.sandbox.requests == [("POST", "/reports")]


def test_without_metadata_two_of_one_prompt_are_told_of(open_client: Open) -> None:
    """Somebody asked the same at the same moment: which is whose, nobody knows."""
    client = open_client(metadata_dropped=True)
    stamp = (client.sandbox.world.now + timedelta(milliseconds=1)).isoformat()
    twin = {"warehouse_id": client.sandbox.warehouse_id, "prompt": PROMPT, "status": "queued", "metadata": None}
    client.sandbox.world.put("reports", {"id": "rpt_twin", **twin, "created_at": stamp, "updated_at": stamp})
    client.sandbox.fail_next("lost_504")
    with pytest.raises(OutcomeUnknown):
        create(client)
    assert posts(client) == 1


def test_where_metadata_is_kept_a_report_without_it_is_anothers(client: SandboxCogny) -> None:
    """It is not taken for one whose answer was lost, though its prompt is the same."""
    create(client, "Another?")
    stamp = (client.sandbox.world.now + timedelta(milliseconds=1)).isoformat()
    twin = {"warehouse_id": client.sandbox.warehouse_id, "prompt": PROMPT, "status": "queued", "metadata": None}
    client.sandbox.world.put("reports", {"id": "rpt_twin", **twin, "created_at": stamp, "updated_at": stamp})
    client.sandbox.fail_next("html_504")
    with pytest.raises(OutcomeUnknown):
        create(client)


def test_without_metadata_threads_of_one_prompt_take_none_of_anothers(open_client: Open) -> None:
    """Each report is returned once at most."""
    client = open_client(metadata_dropped=True, lost_504=0.3)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: create_many_times(client, 10), range(4)))
    returned = [identity for ids, _ in results for identity in ids]
    told = [token for _, tokens in results for token in tokens]
    assert len(returned) == len(set(returned))
    assert len(returned) + len(told) == 40
    assert len(made(client)) <= 40


def test_an_older_report_of_the_same_prompt_is_not_taken(open_client: Open) -> None:
    """One that was there before cannot be the one."""
    client = open_client(metadata_dropped=True)
    client.sandbox.fail_next("lost_504")
    first = create(client)
    client.sandbox.clock.sleep(30)
    client.sandbox.fail_next("html_504")
    with pytest.raises(OutcomeUnknown):
        create(client)
    assert [row["id"] for row in made(client)] == [first.id]


def requests_of(client: SandboxCogny, count: int) -> list[ReportRequest]:
    """Reports that differ by their prompt."""
    return [ReportRequest(warehouse_id=client.sandbox.warehouse_id, prompt=f"Why {n}?") for n in range(count)]


def test_ctrl_c_while_the_answer_is_out_tells_the_token(
    client: SandboxCogny, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With it the report is found, as it was made."""
    answer = client.sandbox._api.answer

    def interrupt(request: Any) -> Any:
        answer(request)
        raise KeyboardInterrupt

    monkeypatch.setattr(client.sandbox._api, "answer", interrupt)
    with pytest.raises(KeyboardInterrupt):
        create(client)
    monkeypatch.setattr(client.sandbox._api, "answer", answer)
    token = caplog.records[-1].getMessage().split("token ")[1].split()[0]
    assert create(client, token=token).id == made(client)[0]["id"]
    assert len(made(client)) == 1


def test_many_keep_within_what_may_run(open_client: Open) -> None:
    """Too many unfinished reports are waited for; all are created, in their order."""
    client = open_client(max_unfinished_reports=3, report_seconds=20.0, retry_after_seconds=5)
    reports = client.reports.create_many(requests_of(client, 10))
    assert [report.prompt for report in reports] == [f"Why {n}?" for n in range(10)]
    assert [row["id"] for row in made(client)] == [report.id for report in reports]


@pytest.mark.parametrize("fault", ["lost_504", "html_504"])
def test_many_go_on_where_they_ended(open_client: Open, fault: str) -> None:
    """The error holds what was created; with its token the others follow, and none is doubled."""
    client = open_client(listed_after_seconds=50.0)
    wanted = requests_of(client, 5)
    client.sandbox.fail_next("dribble", "dribble", fault)  # the first two answers come, though slowly
    with pytest.raises(CreationIncomplete, match=r"^2 of 5 reports are created") as caught:
        client.reports.create_many(wanted)
    before = caught.value.reports
    assert list(before) == [0, 1]
    client.sandbox.clock.sleep(60)
    reports = client.reports.create_many(wanted, token=caught.value.token)
    assert [report.prompt for report in reports] == [f"Why {n}?" for n in range(5)]
    assert sorted(row["prompt"] for row in made(client)) == [f"Why {n}?" for n in range(5)]
    assert [report.id for report in reports[:2]] == [before[0].id, before[1].id]


def test_too_many_unfinished_are_told_of_where_the_wait_is_too_long(open_client: Open) -> None:
    """As the limit that it is."""
    client = open_client(max_unfinished_reports=0, settings={"max_wait_seconds": 10.0})
    with pytest.raises(RateLimited):
        create(client)


def test_tokens_hold_their_moment(client: SandboxCogny) -> None:
    """To the millisecond; those of another form hold none."""
    now = client.sandbox.world.now.replace(microsecond=123000)
    assert read_moment(make_token(now)) == now
    assert read_moment("weekly-2025-23") is None


@pytest.mark.parametrize("switches", [{}, {"metadata_dropped": True}], ids=["metadata", "no metadata"])
def test_a_client_knows_what_it_made(open_client: Open, switches: dict[str, Any]) -> None:
    """By its token, whatever the list shows of it, and without asking again."""
    client = open_client(**switches)
    first = create(client, token="weekly-2025-23")
    asked = len(client.sandbox.requests)
    assert create(client, token="weekly-2025-23").id == first.id
    assert len(client.sandbox.requests) == asked
    assert len(made(client)) == 1


def test_many_go_on_in_the_same_client_though_metadata_is_dropped(open_client: Open) -> None:
    """Those that it made are known by their tokens."""
    client = open_client(metadata_dropped=True)
    wanted = requests_of(client, 5)
    client.sandbox.fail_next("dribble", "dribble", "dribble", "error_500")
    with pytest.raises(CreationIncomplete, match=r"^3 of 5 reports are created") as caught:
        client.reports.create_many(wanted)
    reports = client.reports.create_many(wanted, token=caught.value.token)
    assert [row["id"] for row in made(client)] == [report.id for report in reports]


def test_another_process_finds_the_one_report_of_a_prompt(open_client: Open) -> None:
    """Where metadata is dropped, a report of the last day that is alone of its prompt is taken for the one."""
    client = open_client(metadata_dropped=True)
    first = create(client, token="weekly-2025-23")
    client.reports._creator.__init__(client.reports._context)  # type: ignore[misc]
    assert create(client, token="weekly-2025-23").id == first.id
    assert len(made(client)) == 1


def test_many_whose_outcome_is_unknown_are_told_of_in_words_of_their_own(open_client: Open) -> None:
    """The token is that of all of them, and the advice is to use it so."""
    client = open_client(listed_after_seconds=500.0)
    client.sandbox.fail_next("lost_504")
    with pytest.raises(CreationIncomplete) as caught:
        client.reports.create_many(requests_of(client, 2))
    assert "whether the next one is, is not known: create_many with the same requests" in str(caught.value)
    assert "create(" not in str(caught.value)
    client.sandbox.clock.sleep(600)
    assert len(client.reports.create_many(requests_of(client, 2), token=caught.value.token)) == 2
    assert len(made(client)) == 2


def test_a_look_that_failed_later_leaves_the_doubt(open_client: Open) -> None:
    """The list lags at the first look and cannot be read at the others: nothing is created."""
    client = open_client(listed_after_seconds=50.0, settings={"max_outage_seconds": 0.5})
    client.sandbox.fail_next("lost_504")
    with pytest.raises(OutcomeUnknown) as caught:
        create(client)
    client.sandbox.fail_next("dribble", *["html_502"] * 40)
    with pytest.raises(OutcomeUnknown, match="cannot be read"):
        create(client, token=caught.value.token)
    assert posts(client) == 1


def test_a_list_whose_metadata_is_empty_is_not_believed(client: SandboxCogny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where single reports show the token, the list's `{}` does not say that there is none."""
    answer = client.sandbox._api.answer

    def empty(request: Any) -> Answer:
        got = answer(request)
        if request.method != "GET" or request.path.partition("?")[0] != "/v1/reports":
            return got
        body = json.loads(got.body)
        for row in body["data"]:
            row["metadata"] = {}
        return replace(got, body=json.dumps(body).encode())

    monkeypatch.setattr(client.sandbox._api, "answer", empty)
    client.sandbox.fail_next("lost_504")
    report = create(client)
    assert [row["id"] for row in made(client)] == [report.id]


@pytest.mark.parametrize(
    "change", [{"created_at": None}, {"id": None}, {"id": ["rpt_1"]}], ids=["undated", "no id", "odd id"]
)
def test_an_odd_row_of_the_same_prompt_creates_no_second_report(
    open_client: Open, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    """It may be the report; nothing breaks over it, and nothing is sent again."""
    client = open_client(metadata_dropped=True)
    answer = client.sandbox._api.answer

    def alter(request: Any) -> Answer:
        got = answer(request)
        if request.method != "GET" or request.path.partition("?")[0] != "/v1/reports":
            return got
        body = json.loads(got.body)
        body["data"] = [{**row, **change} if row["prompt"] == PROMPT else row for row in body["data"]]
        return replace(got, body=json.dumps(body).encode())

    monkeypatch.setattr(client.sandbox._api, "answer", alter)
    client.sandbox.fail_next("lost_504")
    with pytest.raises((OutcomeUnknown, ContractError)) as caught:
        create(client)
    if isinstance(caught.value, OutcomeUnknown):
        with pytest.raises((OutcomeUnknown, ContractError)):
            create(client, token=caught.value.token)
    assert len(made(client)) == 1


def test_threads_with_one_token_make_one_report(open_client: Open) -> None:
    """The second waits for the first, and gets its report."""
    client = open_client(metadata_dropped=True)
    ready = threading.Barrier(4)

    def work(_: int) -> str:
        ready.wait(10)
        return create(client, token="weekly-2025-23").id

    with ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(work, range(4)))
    assert [row["id"] for row in made(client)] == list(ids)
    assert client.reports._creator._under_way == {}
