"""PyAirbyte with a declarative manifest, into its DuckDB cache; named so as not to hide the package `airbyte`."""

from __future__ import annotations

import os
from typing import Any

import airbyte as ab
from airbyte.caches import DuckDBCache

STAMPS = ["%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z"]
KINDS: dict[str, dict[str, Any]] = {
    "text": {"type": ["null", "string"]},
    "stamp": {"type": ["null", "string"], "format": "date-time"},
    "object": {"type": ["null", "object"], "additionalProperties": True},
    "list": {"type": ["null", "array"], "items": {"type": ["null", "string"]}},
}
FIELDS = {
    "tickets": {
        **dict.fromkeys(["id", "warehouse_id", "title", "description", "category", "priority", "status"], "text"),
        **dict.fromkeys(["effort", "assignee", "notes", "url"], "text"),
        **dict.fromkeys(["estimated_impact", "supporting_data"], "object"),
        "action_items": "list",
        **dict.fromkeys(["created_at", "updated_at"], "stamp"),
    },
    "reports": {
        **dict.fromkeys(["id", "warehouse_id", "status", "prompt", "url", "stream_url"], "text"),
        **dict.fromkeys(["summary", "metadata"], "object"),
        **dict.fromkeys(["created_at", "updated_at", "completed_at", "estimated_completion"], "stamp"),
    },
    "warehouses": dict.fromkeys(["id", "name", "type", "status"], "text"),
}
PAGES = {
    "type": "DefaultPaginator",
    "page_size_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "limit"},
    "page_token_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "cursor"},
    "pagination_strategy": {
        "type": "CursorPagination",
        "page_size": 100,
        "cursor_value": "{{ response.get('pagination', {}).get('next_cursor') }}",
        "stop_condition": "{{ not response.get('pagination', {}).get('has_more') }}",
    },
}
SINCE = {
    "type": "DatetimeBasedCursor",
    "cursor_field": "updated_at",
    "datetime_format": "%Y-%m-%dT%H:%M:%S.%f%z",
    "cursor_datetime_formats": STAMPS,
    "start_datetime": {"type": "MinMaxDatetime", "datetime": "2000-01-01T00:00:00Z", "datetime_format": STAMPS[1]},
    "start_time_option": {
        "type": "RequestOption",
        "inject_into": "request_parameter",
        "field_name": "updated_after",
    },
}


def stream(name: str) -> dict[str, Any]:
    """One listing."""
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": "id",
        "schema_loader": {
            "type": "InlineSchemaLoader",
            "schema": {"type": "object", "properties": {key: KINDS[kind] for key, kind in FIELDS[name].items()}},
        },
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {
                "type": "HttpRequester",
                "url_base": os.environ["SOURCES__COGNY__BASE_URL"],
                "path": f"/{name}",
                "http_method": "GET",
                "request_parameters": {} if name == "warehouses" else {"sort": "updated_at"},
                "authenticator": {"type": "BearerAuthenticator", "api_token": "{{ config['api_key'] }}"},
            },
            "record_selector": {
                "type": "RecordSelector",
                "extractor": {"type": "DpathExtractor", "field_path": ["data"]},
            },
            "paginator": {"type": "NoPagination"} if name == "warehouses" else PAGES,
        },
        **({} if name == "warehouses" else {"incremental_sync": SINCE}),
    }


MANIFEST = {
    "version": "6.0.0",
    "type": "DeclarativeSource",
    "check": {"type": "CheckStream", "stream_names": ["warehouses"]},
    "streams": [stream(name) for name in FIELDS],
    "spec": {
        "type": "Spec",
        "connection_specification": {
            "type": "object",
            "properties": {"api_key": {"type": "string", "airbyte_secret": True}},
        },
    },
}

if __name__ == "__main__":
    source = ab.get_source(
        "source-cogny",
        config={"api_key": os.environ["SOURCES__COGNY__API_KEY"]},
        source_manifest=MANIFEST,
    )
    source.select_all_streams()
    source.read(cache=DuckDBCache(db_path="airbyte.duckdb", schema_name="main"))
