"""Switches are checked whenever they are set, from a test, over HTTP or on the command line."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import fields
from typing import Any

import orjson
import pytest

from cogny_source.sandbox import Switches
from cogny_source.sandbox.flags import add_switch_flags, read_switches
from cogny_source.sandbox.switches import ORDERS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reset", 1.5),
        ("reset", -0.1),
        ("reset", "often"),
        ("reset", True),
        ("away", 1),
        ("away_requests", -1),
        ("dribble", 2),
        ("revoked_after_requests", -1),
        ("revoked_after_requests", 1.5),
        ("total_count_unfiltered", 1),
        ("stall_seconds", -1),
        ("window_seconds", 0),
        ("clock_offset_seconds", "1h"),
        ("churn_per_page", -1),
        ("churn_per_page", 1.5),
        ("fault_seed", "x"),
        ("cursor_lifetime_pages", -1),
        ("requests_per_minute", True),
        ("retry_after", "soon"),
        ("cursor_kind", "magic"),
        ("pagination_omitted", "tickets"),
        ("pagination_omitted", ["users"]),
        ("pagination_omitted", 3),
        ("ignored_sorts", {"tickets": "sideways"}),
        ("ignored_sorts", {"tickets": "updated_first"}),
        ("ignored_sorts", {"users": "oldest_first"}),
        ("ignored_filters", {"users": ["status"]}),
        ("ignored_filters", {"tickets": "status"}),
        ("ignored_filters", ["tickets"]),
        ("weather", "bad"),
    ],
)
def test_nonsense_is_refused(name: str, value: Any) -> None:
    """A wrong name or value raises and names the switch, at birth, one by one and in bulk."""
    switches = Switches()
    with pytest.raises(ValueError, match=name):
        setattr(switches, name, value)
    with pytest.raises(ValueError, match=name):
        switches.update({"away": True, name: value})
    assert switches == Switches()


def test_switches_survive_json() -> None:
    """What is told as JSON can be set from JSON."""
    switches = Switches(
        reset=0.25,
        retry_after="date",
        cursor_lifetime_pages=3,
        revoked_after_requests=4,
        ignored_filters={"reports": frozenset({"status", "sort"})},
        ignored_sorts={"tickets": "newest_first"},
        pagination_omitted=frozenset(),
    )
    assert Switches(**orjson.loads(orjson.dumps(switches.as_dict()))) == switches


def test_ignored_sorts_may_be_a_plain_list() -> None:
    """A list of resources means creation order, oldest first."""
    switches = Switches()
    switches.update({"ignored_sorts": ["tickets"]})
    assert switches.ignored_sorts == {"tickets": "oldest_first"}


@pytest.mark.parametrize("order", ORDERS)
def test_each_order_is_a_flag(order: str) -> None:
    """By update as well as by creation."""
    assert parse("--ignored-sorts", f"tickets={order}") == Switches(ignored_sorts={"tickets": order})


def test_warehouses_ignore_everything_unless_named() -> None:
    """Setting the filters that another resource ignores leaves warehouses as they are."""
    switches = Switches(ignored_filters={"reports": frozenset({"status"})})
    asked = [("reports", "status"), ("reports", "sort"), ("tickets", "status"), ("warehouses", "status")]
    assert [switches.ignores_filter(*pair) for pair in asked] == [True, False, False, True]
    assert (switches.forced_order("warehouses"), switches.forced_order("tickets")) == ("oldest_first", None)


def parse(*argv: str) -> Switches:
    """The switches of a command line."""
    parser = ArgumentParser()
    add_switch_flags(parser)
    return read_switches(parser.parse_args(argv))


def test_every_switch_is_a_flag() -> None:
    """No flag, no change; and each switch has one."""
    assert parse() == Switches()
    parser = ArgumentParser()
    add_switch_flags(parser)
    flags = {option for action in parser._actions for option in action.option_strings}
    assert {"--" + item.name.replace("_", "-") for item in fields(Switches)} <= flags


def test_flags_set_switches() -> None:
    """Each kind of value can be written on the command line."""
    told = parse(
        *("--away", "--no-rate-headers", "--error-500", "0.5", "--retry-after", "none", "--churn-per-page", "4"),
        *("--cursor-lifetime-pages", "2", "--clock-offset-seconds", "-5", "--pagination-omitted", ""),
        *(
            "--ignored-filters",
            "reports=updated_after+status,tickets=*",
            "--ignored-sorts",
            "reports,tickets=newest_first",
        ),
        *("--away-requests", "3", "--dribble", "0.25", "--revoked-after-requests", "0", "--total-count-unfiltered"),
    )
    assert told == Switches(
        away=True,
        rate_headers=False,
        error_500=0.5,
        retry_after="none",
        churn_per_page=4,
        cursor_lifetime_pages=2,
        clock_offset_seconds=-5,
        pagination_omitted=frozenset(),
        ignored_filters={"reports": frozenset({"updated_after", "status"}), "tickets": frozenset({"*"})},
        ignored_sorts={"reports": "oldest_first", "tickets": "newest_first"},
        away_requests=3,
        dribble=0.25,
        revoked_after_requests=0,
        total_count_unfiltered=True,
    )
