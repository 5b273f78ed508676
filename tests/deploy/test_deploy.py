"""The files of deploy/: the line for cron run as it stands, the units and manifests by the fields that matter."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from click.testing import CliRunner

from cogny_source.cli import main
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import KEY, PATIENCE_SECONDS, ROOT, wait_until

DEPLOY = ROOT / "deploy"
GUIDE = (ROOT / "docs" / "schedules.md").read_text(encoding="utf-8")
COMMANDS = re.compile(r"cogny(?:-source:[\d.]+)? ((?:sync|status) [\w -]+)")
# Enough for a process to start and load its first pages, also where two tests share a core.
DEADLINE_SECONDS = 12
COMMAND = """#!{python}
import sys
sys.path.insert(0, {root!r})
from cogny_source.cli import main
main(prog_name="cogny")
"""

Cron = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def cron(tmp_path: Path, environment: dict[str, str], sandbox: SandboxServer) -> Cron:
    """Start the crontab's line as cron does, with the paths of a machine put below a folder."""
    for folder in ("bin", "etc", "data", "log"):
        (tmp_path / folder).mkdir()
    command = tmp_path / "bin" / "cogny"
    command.write_text(COMMAND.format(python=sys.executable, root=str(ROOT)))
    command.chmod(0o755)

    def start(
        key: str = KEY, deadline_seconds: int = PATIENCE_SECONDS, wait_for_run: str = "10m"
    ) -> subprocess.Popen[str]:
        settings = {"API_KEY": key, "BASE_URL": sandbox.base_url, "CHUNK_ROWS": "100", "READ_TIMEOUT_SECONDS": "1"}
        lines = [f"SOURCES__COGNY__{name}={value}\n" for name, value in settings.items()]
        lines.append(f"COGNY_WAIT_FOR_RUN={wait_for_run}\n")
        (tmp_path / "etc" / "cogny.env").write_text("".join(lines))
        text = (DEPLOY / "crontab").read_text()
        for path, folder in {"/opt/cogny/bin": "bin", "/etc/cogny": "etc", "/var/lib/cogny": "data"}.items():
            text = text.replace(path, str(tmp_path / folder))
        text = text.replace("/var/log/cogny", str(tmp_path / "log")).replace(" 55m ", f" {deadline_seconds}s ")
        variables, line = read_crontab(text)
        return subprocess.Popen(
            [variables["SHELL"], "-c", line],
            cwd="/",
            env={**environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def read_crontab(text: str) -> tuple[dict[str, str], str]:
    """The variables of a crontab, and the command of its only line."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    variables = dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))
    [line] = [line for line in lines if not re.match(r"\w+=", line)]
    *_, command = line.split(maxsplit=5)
    return variables, command


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code of a line, and what cron would mail."""
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, output


def count_tickets(folder: Path) -> int:
    """The tickets in the database that the line wrote."""
    with duckdb.connect(str(folder / "data" / "cogny.duckdb"), read_only=True) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM cogny_data.tickets").fetchall()
    return int(count)


def test_cron_is_quiet_over_a_success(cron: Cron, tmp_path: Path) -> None:
    """A sync that succeeds mails nothing, and logs to its file."""
    assert end(cron(wait_for_run="0s")) == (0, "")
    assert count_tickets(tmp_path) == 450
    assert '"level": "INFO"' in (tmp_path / "log" / "sync.log").read_text()


def test_cron_mails_a_wrong_key(cron: Cron, tmp_path: Path) -> None:
    """A key that the API refuses is mailed in the line of the error, without the key."""
    code, mail = end(cron(key="sk_live_wrong"))
    assert code == 2
    assert mail.splitlines()[0] == "cogny sync: exit code 2"
    assert re.search(r'^\{.*"level": "ERROR".*"exit_code": 2, "status": 401', mail, re.MULTILINE)
    assert "sk_live_wrong" not in mail


def test_cron_ends_a_hanging_sync(cron: Cron, sandbox: SandboxServer, tmp_path: Path) -> None:
    """The deadline ends a sync of an API that hangs; what was complete is loaded. One that may not wait is quiet."""
    sandbox.switches.latency_seconds = 0.2
    first = cron(deadline_seconds=DEADLINE_SECONDS)
    wait_until(lambda: len(sandbox.requests) >= 3, first)
    sandbox.switches.stall, sandbox.switches.stall_seconds = 1.0, 600.0
    assert end(cron(wait_for_run="0s")) == (0, "")
    code, mail = end(first)
    assert code == 124
    assert "The run was stopped by signal 15" in mail
    assert 100 <= count_tickets(tmp_path) < 450
    assert "another run holds" in (tmp_path / "log" / "sync.log").read_text()


def test_cron_sends_one_signal() -> None:
    """The time-out signals once: without --foreground it does so twice, and a second signal ends a sync at once."""
    variables, command = read_crontab((DEPLOY / "crontab").read_text())
    assert "timeout --foreground --signal=TERM --kill-after=2m 55m /opt/cogny/bin/cogny sync duckdb" in command
    assert "%" not in command, "cron turns it into a line break"
    assert variables["DLT_DATA_DIR"] == "/var/lib/cogny/dlt"


def test_logrotate_turns_the_log_of_cron(tmp_path: Path) -> None:
    """The log that is rotated is the one that cron writes, and logrotate, where it is, can read its file."""
    text = (DEPLOY / "logrotate").read_text()
    variables, _ = read_crontab((DEPLOY / "crontab").read_text())
    assert f"\n{variables['LOG']} {{\n" in text
    logrotate = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin")
    if logrotate is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("logrotate is not here")
    file = tmp_path / "cogny"
    file.write_text(text.replace("cogny cogny", "root root").replace("/var/log/cogny", str(tmp_path)))
    file.chmod(0o644)
    done = subprocess.run(
        [logrotate, "--debug", "--state", str(tmp_path / "state"), str(file)], capture_output=True, text=True
    )
    assert (done.returncode, "error:" in done.stderr) == (0, False), done.stderr


def read_unit(name: str) -> dict[str, list[str]]:
    """The settings of a unit as `Section.Name` with all their values."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in (DEPLOY / "systemd" / name).read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(f"{section}.{key}", []).append(value)
    return found


def test_systemd_service() -> None:
    """The service runs the sync that cron runs, lets it stop, and takes a held lock and a stop for no failure."""
    service = read_unit("cogny-sync.service")
    variables, _ = read_crontab((DEPLOY / "crontab").read_text())
    wanted = {
        "Service.Type": ["oneshot"],
        "Service.User": ["cogny"],
        "Service.EnvironmentFile": ["/etc/cogny/cogny.env"],
        "Service.ExecStart": ["/opt/cogny/bin/cogny sync duckdb --log-format json"],
        "Service.SuccessExitStatus": ["75 143"],
        "Service.TimeoutStartSec": ["55min"],
        "Service.KillSignal": ["SIGTERM"],
        "Service.TimeoutStopSec": ["2min"],
        "Service.NoNewPrivileges": ["true"],
        "Service.ProtectSystem": ["strict"],
    }
    assert {name: service.get(name) for name in wanted} == wanted
    shared = {f"{name}={variables[name]}" for name in ("DLT_DATA_DIR", "COGNY_DATABASE")}
    assert shared <= set(service["Service.Environment"])


def test_systemd_timer() -> None:
    """The timer makes up for missed runs, and spreads machines over ten minutes."""
    timer = read_unit("cogny-sync.timer")
    assert timer["Timer.OnCalendar"] == ["hourly"]
    assert timer["Timer.Persistent"] == ["true"]
    assert timer["Timer.RandomizedDelaySec"] == ["10min"]
    assert timer["Install.WantedBy"] == ["timers.target"]


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """The units are checked by systemd itself, where it is."""
    if shutil.which("systemd-analyze") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("systemd is not here")
    units = []
    for file in sorted((DEPLOY / "systemd").iterdir()):
        units.append(tmp_path / file.name)
        units[-1].write_text(file.read_text().replace("/opt/cogny/bin/cogny", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, units)], capture_output=True, text=True, timeout=60
    )
    remarks = [line for line in done.stderr.splitlines() if "cogny" in line]
    assert (done.returncode, remarks) == (0, [])


@pytest.fixture(scope="module")
def manifests() -> dict[str, Any]:
    """The documents of the manifest by kind."""
    text = (DEPLOY / "kubernetes" / "cronjob.yaml").read_text()
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def rules_of(manifests: dict[str, Any]) -> list[dict[str, Any]]:
    """The rules for a Pod that failed."""
    rules: list[dict[str, Any]] = manifests["CronJob"]["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    return rules


def test_kubernetes_job(manifests: dict[str, Any]) -> None:
    """One run at a time, with a deadline below the hour; settings and key are not tried again, a held lock is."""
    cron = manifests["CronJob"]["spec"]
    job = cron["jobTemplate"]["spec"]
    assert cron["concurrencyPolicy"] == "Forbid"
    assert (job["activeDeadlineSeconds"], job["backoffLimit"]) == (3300, 2)
    rules = rules_of(manifests)
    by_code = {rule["onExitCodes"]["values"][0]: rule["action"] for rule in rules if "onExitCodes" in rule}
    assert by_code == {2: "FailJob", 75: "Ignore"}
    assert [rule["action"] for rule in rules if "onPodConditions" in rule] == ["Ignore"]
    assert job["template"]["spec"]["restartPolicy"] == "Never", "podFailurePolicy asks for it"


def test_kubernetes_pod(manifests: dict[str, Any]) -> None:
    """The Pod writes to its two volumes alone, has no privileges, and its key from the Secret."""
    pod = manifests["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["terminationGracePeriodSeconds"] == 120
    assert pod["automountServiceAccountToken"] is False
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["fsGroup"]) == (True, 10001)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"data": "/data", "tmp": "/tmp"}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    claim = volumes["data"]["persistentVolumeClaim"]["claimName"]
    assert claim == manifests["PersistentVolumeClaim"]["metadata"]["name"]
    assert container["envFrom"] == [{"secretRef": {"name": "cogny"}}]
    assert "env" not in container
    names = {rule["onExitCodes"]["containerName"] for rule in rules_of(manifests) if "onExitCodes" in rule}
    assert names == {container["name"]}


def test_guide_names_what_is_there() -> None:
    """Each file of the project that a command of the guide names is there."""
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL))
    named = set(re.findall(r"\bdeploy/[\w./-]+", commands))
    files = {str(path.relative_to(ROOT)) for path in DEPLOY.rglob("*") if path.is_file()}
    assert named == files - {"deploy/requirements.txt"}


@pytest.mark.parametrize("arguments", sorted(set(COMMANDS.findall(GUIDE))))
def test_guide_names_commands_that_are_there(arguments: str) -> None:
    """Each `cogny` command that the guide gives is known, with its options."""
    done = CliRunner().invoke(main, [*arguments.split(), "--help"])
    assert done.exit_code == 0, done.output
