"""A tap built with the Singer SDK: three streams with their schemas, a cursor paginator, a bookmark on `updated_at`."""

from __future__ import annotations

from typing import Any, ClassVar

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.pagination import JSONPathPaginator

TEXT, STAMP, FREE_FORM = th.StringType, th.DateTimeType, th.ObjectType(additional_properties=True)
FLOATS = ("current_value", "projected_value", "increase_percentage", "confidence")
IMPACT = th.ObjectType(th.Property("metric", TEXT), *(th.Property(name, th.NumberType) for name in FLOATS))
SUMMARY = th.ObjectType(
    th.Property("total_queries", th.IntegerType),
    th.Property("total_insights", th.IntegerType),
    th.Property("key_findings", th.ArrayType(TEXT)),
)


def properties(texts: str, **others: Any) -> dict[str, Any]:
    """A schema: texts by name, and others by name and type."""
    fields = {**dict.fromkeys(texts.split(), TEXT), **others}
    return th.PropertiesList(*(th.Property(name, kind) for name, kind in fields.items())).to_dict()


class CognyStream(RESTStream[str]):
    """A listing of the API."""

    records_jsonpath = "$.data[*]"
    primary_keys = ("id",)

    @property
    def url_base(self) -> str:
        """The API."""
        return str(self.config["base_url"])

    @property
    def authenticator(self) -> BearerTokenAuthenticator:
        """The key."""
        return BearerTokenAuthenticator(token=self.config["api_key"])

    def get_new_paginator(self) -> JSONPathPaginator:
        """The cursor of the next page."""
        return JSONPathPaginator("$.pagination.next_cursor")

    def get_url_params(self, context: Any, next_page_token: str | None) -> dict[str, Any]:
        """What is asked of a page."""
        params = {"limit": 100}
        since = self.get_starting_timestamp(context) if self.replication_key else None
        if self.replication_key:
            params["sort"] = self.replication_key
        if since:
            params["updated_after"] = since.isoformat()
        if next_page_token:
            params["cursor"] = next_page_token
        return params


class Tickets(CognyStream):
    """The tickets."""

    name, path = "tickets", "/tickets"
    replication_key = "updated_at"
    schema: ClassVar[dict[str, Any]] = properties(
        "id warehouse_id title description category priority status effort assignee notes url",
        estimated_impact=IMPACT,
        action_items=th.ArrayType(TEXT),
        supporting_data=FREE_FORM,
        created_at=STAMP,
        updated_at=STAMP,
    )


class Reports(CognyStream):
    """The reports."""

    name, path = "reports", "/reports"
    replication_key = "updated_at"
    schema: ClassVar[dict[str, Any]] = properties(
        "id warehouse_id status prompt url stream_url",
        summary=SUMMARY,
        metadata=FREE_FORM,
        created_at=STAMP,
        updated_at=STAMP,
        completed_at=STAMP,
        estimated_completion=STAMP,
    )


class Warehouses(CognyStream):
    """The warehouses."""

    name, path = "warehouses", "/warehouses"
    schema: ClassVar[dict[str, Any]] = properties("id name type status")


class CognyTap(Tap):
    """The tap."""

    name = "tap-cogny"
    config_jsonschema = th.PropertiesList(
        th.Property("base_url", TEXT, required=True), th.Property("api_key", TEXT, required=True, secret=True)
    ).to_dict()

    def discover_streams(self) -> list[CognyStream]:
        """Its streams."""
        return [Tickets(self), Reports(self), Warehouses(self)]


if __name__ == "__main__":
    CognyTap.cli()
