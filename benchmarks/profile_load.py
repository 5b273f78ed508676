"""Where the time of a first load goes, by layer: stacks of all threads, sampled while the pipeline runs here."""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FrameType

from local_api import run_sandbox
from measuring import KEY, ROOT

INTERVAL_SECONDS = 0.002
BUSIEST = 20
IMPORTING = "<frozen importlib"
# The innermost frame whose file has one of these names tells the layer.
LAYERS = {
    "fetch: requests, urllib3, sockets": ("/urllib3/", "/requests/", "/cogny_source/api/transport", "/http/client"),
    "parse, and the rest of the client": ("/cogny_source/api/",),
    "convert: rows to Arrow": (
        "/cogny_source/records/",
        "/cogny_source/reconcile/digest",
    ),
    "commit into DuckDB": ("/cogny_source/destinations/duckdb/commit", "/cogny_source/destinations/duckdb/memory"),
    "the engine's own loop": (
        "/cogny_source/engine/",
        "/cogny_source/extract/",
        "/cogny_source/source",
        "/cogny_source/cli",
    ),
    "DuckDB, asked by dlt": ("/dlt/destinations/impl/duckdb/", "/cogny_source/destinations/"),
    "dlt: extract": ("/dlt/extract/",),
    "dlt: normalize": ("/dlt/normalize/",),
    "dlt: load": ("/dlt/load/", "/dlt/destinations/"),
    "dlt: pipeline, state and schemas": ("/dlt/pipeline/",),
}
IMPORTS, IDLE, OTHER = "imports", "waiting for another thread", "other"
IDLE_FILES = ("/threading.py", "/queue.py", "/concurrent/futures/", "/selectors.py")


class Sampler:
    """Notes where each thread is, again and again."""

    def __init__(self) -> None:
        """Sample the thread that makes this, and all others but the sampler's own."""
        self.main: Counter[str] = Counter()
        self.others: Counter[str] = Counter()
        self.functions: Counter[CodeType] = Counter()
        self._main_thread = threading.get_ident()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="sampler", daemon=True)

    def __enter__(self) -> Sampler:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        own, last = threading.get_ident(), time.monotonic()
        while not self._done.wait(INTERVAL_SECONDS):
            now = time.monotonic()
            # A thread that keeps the interpreter to itself delays the sampler: each sample counts for the time since.
            micros, last = round((now - last) * 1e6), now
            for thread, frame in sys._current_frames().items():
                if thread != own:
                    self._note(frame, micros, is_main=thread == self._main_thread)

    def _note(self, frame: FrameType, micros: int, *, is_main: bool) -> None:
        layer = find_layer(frame)
        (self.main if is_main else self.others)[layer] += micros
        if layer not in (IDLE, IMPORTS):
            self.functions[frame.f_code] += micros


def find_layer(frame: FrameType) -> str:
    """The layer that a stack works for."""
    files = []
    inner: FrameType | None = frame
    while inner is not None:
        files.append(inner.f_code.co_filename)
        inner = inner.f_back
    if any(file.startswith(IMPORTING) for file in files):
        return IMPORTS
    if any(name in files[0] for name in IDLE_FILES):
        return IDLE
    for file in files:
        for layer, names in LAYERS.items():
            if any(name in file for name in names):
                return layer
    return OTHER


def run_pipeline(folder: Path, base_url: str) -> None:
    """Run the pipeline as its script would, in this process."""
    os.environ |= {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": base_url, "DLT_DATA_DIR": str(folder)}
    script = ROOT / "pipelines" / "cogny_to_duckdb.py"
    sys.argv = [str(script), "--quiet", "--database", str(folder / "profile.duckdb")]
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as exc:
        if exc.code:
            raise


def show(sampler: Sampler, seconds: float) -> None:
    """Print a table of the layers, and the functions in which most time was spent."""
    print(f"{seconds:.2f} s in all\n\n{'layer':36}{'main thread, s':>16}{'others, s':>12}")
    for layer in (IMPORTS, *LAYERS, OTHER, IDLE):
        print(f"{layer:36}{sampler.main[layer] / 1e6:16.2f}{sampler.others[layer] / 1e6:12.2f}")
    print(f"\n{'innermost Python function':80}{'s':>8}")
    for code, micros in sampler.functions.most_common(BUSIEST):
        place = f"{'/'.join(Path(code.co_filename).parts[-3:])}:{code.co_firstlineno} {code.co_qualname}"
        print(f"{place:80}{micros / 1e6:8.2f}")


def main() -> None:
    """Profile a first load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=100_000)
    tickets = parser.parse_args().tickets
    with run_sandbox(tickets) as sandbox, TemporaryDirectory() as folder:
        began = time.monotonic()
        with Sampler() as sampler:
            run_pipeline(Path(folder), sandbox.base_url)
        show(sampler, time.monotonic() - began)


if __name__ == "__main__":
    main()
