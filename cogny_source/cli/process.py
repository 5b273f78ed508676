"""The process that the command runs in: what makes it quick and small, and would be no library's business."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

VARIABLES = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    # Packages that are loaded are of no more use; a long first load would fill the disk with them.
    "LOAD__DELETE_COMPLETED_JOBS": "true",
}
ALLOCATOR, JEMALLOC = "ARROW_DEFAULT_MEMORY_POOL", "jemalloc"
NEW_OBJECTS_A_COLLECTION = 20_000


@contextmanager
def prepare_process() -> Iterator[None]:
    """Set the process up for a sync, within the block but for the variables, of which those that are set stay."""
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    # At its end the interpreter looks through every object for cycles, 0.1 s; not through those that are frozen.
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    with _collect_seldom(), _keep_pandas_out(), _give_memory_back():
        yield


@contextmanager
def _collect_seldom() -> Iterator[None]:
    """Look for cycles less often, and not among what was imported: rows make none, and the search takes 0.3 s."""
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS_A_COLLECTION)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


@contextmanager
def _give_memory_back() -> Iterator[None]:
    """Let Arrow take its memory from jemalloc, where it has it, and give it back at once.

    At the peak of 100,000 tickets 285 MB against 341 by the system's allocator, and 346 by Arrow's default. Whoever set
    the variable that names another gets that.
    """
    import pyarrow as pa

    if ALLOCATOR in os.environ or JEMALLOC not in pa.supported_memory_backends():
        yield
        return
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.jemalloc_memory_pool())
    pa.jemalloc_set_decay_ms(0)
    try:
        yield
    finally:
        pa.set_memory_pool(before)


@contextmanager
def _keep_pandas_out() -> Iterator[None]:
    """Let pyarrow and DuckDB find no pandas: each would import it, 0.3 s, at the first value that it is given.

    Whoever asks them for a data frame afterwards still gets one.
    """
    from pyarrow.lib import _pandas_api

    if "pandas" in sys.modules:
        yield
        return
    # pyarrow looks once and fails over a module that may not be imported; DuckDB looks each time.
    sys.modules["pandas"] = ModuleType("pandas")
    sys.modules["pandas"].__version__ = "0"  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Without numpy, no public call makes it look for certain.
        _ = _pandas_api.have_pandas
    sys.modules["pandas"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["pandas"]
