"""The connector's schema in a dlt pipeline."""

from __future__ import annotations

import dlt
from dlt.common.schema import Schema

SCHEMA_NAME = "cogny"


def restored_schema(pipeline: dlt.Pipeline) -> Schema | None:
    """The source's schema, if its tables are in the dataset of the pipeline's default schema; else None."""
    in_dataset = pipeline.default_schema_name == SCHEMA_NAME or pipeline.config.use_single_dataset
    return pipeline.schemas[SCHEMA_NAME] if in_dataset and SCHEMA_NAME in pipeline.schema_names else None
