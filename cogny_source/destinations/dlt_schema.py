"""The connector's schema as dlt keeps it of a pipeline."""

from __future__ import annotations

import dlt
from dlt.common.schema import Schema

SCHEMA_NAME = "cogny"


def restored_schema(pipeline: dlt.Pipeline) -> Schema | None:
    """The source's own schema, where its tables lie in the dataset of the pipeline's default one."""
    in_dataset = pipeline.default_schema_name == SCHEMA_NAME or pipeline.config.use_single_dataset
    return pipeline.schemas[SCHEMA_NAME] if in_dataset and SCHEMA_NAME in pipeline.schema_names else None
