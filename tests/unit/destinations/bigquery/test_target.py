"""The options of BigQuery: location, datasets, and the extra that they need."""

from __future__ import annotations

import pytest
from google.api_core import exceptions as google
from google.cloud import bigquery as google_bigquery

from cogny_source import installation
from cogny_source.destinations.bigquery import target as bigquery
from cogny_source.destinations.bigquery.target import Place, make_bigquery_target
from cogny_source.errors import ConfigError


class Datasets:
    """Google's client as far as datasets go.

    Args:
        found: Dataset to location.
    """

    project = "growth"

    def __init__(self, found: dict[str, str]) -> None:
        self.found = found

    def get_dataset(self, name: str, **_: object) -> object:
        """A dataset that is there."""
        if name not in self.found:
            raise google.NotFound(f"Not found: Dataset growth:{name}")
        return google_bigquery.Dataset.from_api_repr(
            {"datasetReference": {"projectId": "growth", "datasetId": name}, "location": self.found[name]}
        )


@pytest.mark.parametrize(
    ("found", "asked", "expected"),
    [
        ({}, None, "US"),
        ({}, "EU", "EU"),
        ({"d": "EU"}, None, "EU"),
        ({"d_staging": "EU"}, None, "EU"),
        ({"d": "EU"}, "eu", "EU"),
        ({"d": "EU"}, "US", "d is in EU, not in US"),
        ({"d_staging": "EU"}, "US", "d_staging is in EU, not in US"),
        (
            {"d": "EU", "d_staging": "US"},
            None,
            "d is in EU and d_staging is in US, but they must be in one location: delete d_staging",
        ),
    ],
)
def test_both_datasets_are_in_one_location(found: dict[str, str], asked: str | None, expected: str) -> None:
    """That of the one which is there, or what was asked for."""
    try:
        told = bigquery._choose_location(Datasets(found), Place(None, "d", asked, None))
    except ConfigError as error:
        told = str(error)
    assert told == expected or (len(expected) > 2 and expected in told)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (Place("Growth!", "d", None, None), "--project is"),
        (Place(None, "D-1", None, None), "--dataset is"),
        (Place(None, "d", None, "s3://bucket"), "--staging is"),
    ],
)
def test_wrong_options_are_refused(place: Place, sentence: str) -> None:
    """Before Google is asked."""
    with pytest.raises(ConfigError, match=sentence):
        make_bigquery_target(place)


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Google's client, the sentence says how to install it."""
    monkeypatch.setattr(installation, "_is_installed", lambda _: False)
    with pytest.raises(ConfigError, match=r"pip install .*'dlt\[bigquery\]"):
        make_bigquery_target(Place(None, "d", None, None))
