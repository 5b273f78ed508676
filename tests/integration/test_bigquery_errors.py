"""The command tells in one sentence what Google refuses."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from cogny_source.cli import main
from cogny_source.destinations.bigquery import target as bigquery


def test_failing_answers_are_asked_for_again_and_then_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An error of Google's that does not go away ends the run with a sentence, no traceback."""
    asked = []

    class Failing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(502)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    monkeypatch.setattr(bigquery, "RETRY_SECONDS", 3)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SOURCES__COGNY__API_KEY", "sk_test_sandbox")
    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
        done = CliRunner().invoke(main, ["sync", "bigquery", "--quiet"])
        server.shutdown()
    assert done.exit_code == 1
    assert "Error: BigQuery does not answer" in done.stderr
    assert len(asked) > 1


def test_missing_and_broken_credentials_end_with_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the key nor a traceback is shown."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    for name in ("BIGQUERY_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    arguments = ["sync", "bigquery", "--project", "growth", "--quiet"]
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no credentials for Google" in done.stderr
    key = '{"type":"service_account","project_id":"p","private_key":"s3cret","client_email":"a@b.c"}'
    monkeypatch.setenv("DESTINATION__BIGQUERY__CREDENTIALS", key)
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert "is not the key of a service account" in done.stderr
    assert "s3cret" not in done.output
