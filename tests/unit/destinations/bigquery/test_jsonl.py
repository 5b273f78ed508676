"""What travels to BigQuery, and how its tables are laid out, without a BigQuery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from cogny_source.destinations.bigquery.jsonl import write_jsonl
from cogny_source.records.convert import convert_rows
from cogny_source.schema import TICKETS

ROW: dict[str, Any] = {
    "id": "tkt_1",
    "title": 'a\u0000b\n"\\ 📦',
    "estimated_impact": {"current_value": 5e-324},
    "supporting_data": {"wide": 2**70, "whole": 1.0, "deep": [{"": None}]},
    "created_at": "2025-02-03T04:05:06.789012Z",
    "action_items": ["one"],
}


def test_a_line_holds_a_row_with_json_as_values(tmp_path: Path) -> None:
    """JSON stands in the file as what it is, whole numbers as texts, instants to the microsecond."""
    table = convert_rows(TICKETS, [ROW]).tables["tickets"]
    write_jsonl(table, TICKETS.columns, tmp_path / "plain", compress=False)
    [line] = (tmp_path / "plain").read_bytes().splitlines()
    row = orjson.loads(line)
    assert row["title"] == ROW["title"]
    assert row["estimated_impact__current_value"] == 5e-324
    assert row["supporting_data"] == {"wide": str(2**70), "whole": 1.0, "deep": [{"": None}]}
    assert row["created_at"] == "2025-02-03T04:05:06.789012Z"
    assert row["extra"] is None
    items = convert_rows(TICKETS, [ROW]).tables["tickets__action_items"]
    write_jsonl(items, TICKETS.children[0].columns, tmp_path / "items", compress=False)
    [line] = (tmp_path / "items").read_bytes().splitlines()
    assert orjson.loads(line)["position"] == "0"
