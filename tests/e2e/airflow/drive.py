"""Airflow in a process of its own, for `tests/e2e/airflow/test_dags.py`.

It tells what parsing the DAGs does, then runs what it is asked for on standard input, a JSON object a line. What it
found is JSON behind a word of its own, among the lines that Airflow logs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

DAGS = Path(__file__).parents[3] / "pipelines" / "airflow"
FOUND = "found: "
TOLD = ("pool", "retries", "retry_exponential_backoff", "map_index_template")
SPANS = ("retry_delay", "max_retry_delay", "execution_timeout")


def parse() -> dict[str, Any]:
    """What parsing the file costs and leaves behind, and what it makes."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import Connection, Param, Variable, dag, get_current_context, task  # noqa: F401

    modules, variables = set(sys.modules), dict(os.environ)
    spec = importlib.util.spec_from_file_location("parsed", DAGS / "cogny_sync.py")
    assert spec is not None
    assert spec.loader is not None
    began = time.perf_counter()
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    seconds = time.perf_counter() - began
    bag = DagBag(DAGS)
    imported = {name.partition(".")[0] for name in set(sys.modules) - modules}
    return {
        "seconds": seconds,
        "imported": sorted(imported & {"dlt", "duckdb", "pyarrow", "cogny_source", "cogny_account", "cogny_process"}),
        "is_environment_changed": dict(os.environ) != variables,
        "errors": bag.import_errors,
        "dags": {name: describe(found) for name, found in bag.dags.items()},
    }


def describe(dag: Any) -> dict[str, Any]:
    """What a DAG promises."""
    return {
        "schedule": dag.timetable.expression,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "max_active_tasks": dag.max_active_tasks,
        "params": dict(dag.params),
        "tasks": {task.task_id: describe_task(task) for task in dag.tasks},
    }


def describe_task(task: Any) -> dict[str, Any]:
    """What a task promises."""
    spans = {name: value and value.total_seconds() for name in SPANS for value in [getattr(task, name)]}
    return {**{name: getattr(task, name) for name in TOLD}, **spans, "upstream": sorted(task.upstream_task_ids)}


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Run a DAG as `airflow dags test` does, and tell each task's state and tries.

    Args:
        order: The DAG's name, and what is to be otherwise: `conf`, `variables` of the environment, `retries`.
    """
    from airflow.dag_processing.dagbag import DagBag

    dag = DagBag(DAGS).dags[order["dag"]]
    for task in dag.tasks:
        if "retries" in order:
            task.retries = order["retries"]
            task.retry_delay, task.retry_exponential_backoff = timedelta(seconds=0.1), 0
    with patch.dict(os.environ, order["variables"]):
        done = dag.test(run_conf=order["conf"])
    return {
        "state": done.state,
        "tasks": {
            f"{task.task_id} {task.rendered_map_index or ''}".strip(): [task.state, task.try_number]
            for task in done.get_task_instances()
        },
    }


def tell(found: dict[str, Any]) -> None:
    """Print what was found; tasks have a standard output of their own."""
    print(f"{FOUND}{json.dumps(found)}", file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    tell(parse())
    from airflow.utils.db import initdb

    initdb()
    for line in sys.stdin:
        tell(run(json.loads(line)))
