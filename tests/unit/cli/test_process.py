"""The process that the command runs in."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Absent())
from cogny_source.cli.process import prepare_process

with prepare_process():
    import pyarrow as pa

    stamps = pa.array([0], pa.timestamp("us", tz="UTC"))
    print(stamps.to_pylist()[0].isoformat(), pa.lib._pandas_api.have_pandas)
"""


@pytest.mark.parametrize("absent", [[], ["pandas"], ["pandas", "numpy"]])
def test_pandas_is_kept_out_whatever_is_installed(absent: list[str]) -> None:
    """Arrow's values can be read where pandas is installed, where it is not, and where numpy is not either."""
    done = subprocess.run([sys.executable, "-c", CODE, *absent], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1970-01-01T00:00:00+00:00 False\n"), done.stderr
