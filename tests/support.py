"""Names that the tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
KEY = "sk_test_sandbox"

Script = Callable[..., "subprocess.CompletedProcess[str]"]
