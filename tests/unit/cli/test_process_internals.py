"""Names of pyarrow that nothing promises: the test says what breaks with them."""

from __future__ import annotations

import subprocess
import sys


def test_pyarrow_looks_for_pandas_once() -> None:
    """A command hides pandas meanwhile, which costs 0.3 s to import; in a process of its own, as it looks but once."""
    script = (
        "from pyarrow.lib import _pandas_api\n"
        "from cogny_source.cli.process import _keep_pandas_out\n"
        "import sys\n"
        "with _keep_pandas_out():\n"
        "    print(_pandas_api.have_pandas, sys.modules['pandas'])\n"
        "print(_pandas_api.have_pandas, 'pandas' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False None\nFalse False\n", (
        "if this fails, a sync imports pandas or cannot hide it: look at cli/process.py, _keep_pandas_out"
    )
