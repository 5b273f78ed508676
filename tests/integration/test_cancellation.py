"""A sync that is asked to stop cuts off what hangs."""

from __future__ import annotations

import threading
import time

import dlt
import pytest

from cogny_source import sync
from cogny_source.engine.cancellation import CancelToken
from cogny_source.errors import Stopped
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import settings_for


def test_flag_cuts_off_what_hangs(sandbox: SandboxServer, pipeline: dlt.Pipeline) -> None:
    """In a program of one's own too: all readers end, and nothing is asked for afterwards."""
    sandbox.switches.update({"dribble": 1.0, "stall_seconds": 600.0})
    flag = CancelToken()

    def stop() -> None:
        while not sandbox.requests:
            time.sleep(0.01)
        flag.set(15)

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(Stopped):
        sync(pipeline, settings_for(sandbox, read_timeout_seconds=500.0), stop=flag)
    thread.join()
    assert len(sandbox.requests) == 1
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith(("resource", "dial"))] == []
