"""Calls: paths and ids that could lead elsewhere are refused before anything is sent."""

from __future__ import annotations

import pytest

from cogny_source.api.calls import Call, check_id
from cogny_source.errors import InvalidArgument

ODD = ["", ".", "..", "a/b", "rpt_1/../../webhooks", "a?b", "a#b", "a%2fb", "a b", "a\n", "ä", "a\\b", "x" * 201]


@pytest.mark.parametrize("identity", [*ODD, None, 7, b"rpt_1"])
def test_ids_that_could_change_the_path_are_refused_by_name(identity: object) -> None:
    """Whatever a URL reads as anything but a name, and what is no text."""
    with pytest.raises(InvalidArgument, match=r"^report_id is no id of the API") as caught:
        check_id(identity, "report_id")
    assert caught.value.name == "report_id"


@pytest.mark.parametrize("identity", ["rpt_1", "wh_123abc", "tkt-A.b~c:1", "x" * 200, "...a"])
def test_plain_ids_are_taken(identity: str) -> None:
    """As they are."""
    assert check_id(identity, "id") == identity


@pytest.mark.parametrize("identity", [name for name in ODD if name and name != "x" * 201 and "/b" not in name])
def test_paths_that_lead_elsewhere_are_refused(identity: str) -> None:
    """Even where an id was not checked before."""
    with pytest.raises(InvalidArgument, match=r"^path "):
        Call("GET", f"/reports/{identity}")


def test_a_call_that_is_no_reading_writes() -> None:
    """And must not be sent twice."""
    assert [Call(method, "/reports").writes for method in ("GET", "POST", "PATCH", "DELETE")] == [
        False,
        True,
        True,
        True,
    ]
