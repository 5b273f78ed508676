"""A Debian root that stands for a container's file system, and commands in it as a container engine would run them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# What the base image has, and Debian gives in packages.
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
NETWORK = ("/etc/resolv.conf", "/etc/hosts")


@dataclass
class Container:
    """How a command is run in a root.

    Attributes:
        root: The folder that is its file system.
        variables: Its whole environment.
        workdir: Where it starts.
        user: `uid:gid`; root where empty.
        mounts: Path in the container to folder or file of this machine.
        read_only: Whether it can write to its mounts and /tmp alone.
    """

    root: Path
    variables: Mapping[str, str]
    workdir: str = "/"
    user: str = ""
    mounts: Mapping[str, Path] = field(default_factory=dict)
    read_only: bool = False

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command that runs a command in namespaces of its own, as their first process."""
        root = shlex.quote(str(self.root))
        script = ["set -e", f"mount --bind {root} {root}", f"mount --rbind /dev {root}/dev"]
        script.append(f"mount -t proc proc {root}/proc")
        script += [f"mount --bind {shlex.quote(str(path))} {root}{where}" for where, path in self.mounts.items()]
        if self.read_only:
            script += [f"mount -o remount,bind,ro {root}", f"mount -t tmpfs tmpfs {root}/tmp"]
        user = [f"--userspec={self.user}", "--groups="] if self.user else []
        variables = [f"{name}={value}" for name, value in self.variables.items()]
        inside = ["chroot", *user, str(self.root), "/usr/bin/env", "-i", "-C", self.workdir, *variables, *arguments]
        script.append(f"exec {shlex.join(inside)}")
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", "\n".join(script)]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(self.command(arguments), capture_output=True, text=True)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and do not wait."""
        return subprocess.Popen(
            self.command(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )


def send_signal(process: subprocess.Popen[str], number: int) -> None:
    """Send a signal to the first process of a container, as an engine does."""
    [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(child), number)


def make_base(image: str, root: Path) -> None:
    """Make what stands for `python:<version>-slim-<suite>`: that suite of Debian, with its own Python.

    Raises:
        ValueError: If the image is another one, or the suite has another Python.
    """
    matched = re.fullmatch(r"python:(3\.\d+)-slim-(\w+)", image)
    if matched is None:
        raise ValueError(f"{image}: nothing stands for it here")
    version, suite = matched.groups()
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", suite, str(root)]
    subprocess.run(command, check=True)
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    done = Container(root, {"PATH": "/usr/local/bin:/usr/bin:/bin"}).run("python", "--version")
    if not done.stdout.startswith(f"Python {version}."):
        raise ValueError(f"{image}: {suite} has {done.stdout.strip() or done.stderr}")


def copy_root(base: Path, root: Path) -> None:
    """A root of its own for a stage."""
    subprocess.run(["cp", "--archive", "--reflink=auto", str(base), str(root)], check=True)


def network_mounts(root: Path) -> dict[str, Path]:
    """The mounts with which a step of a build finds what this machine finds.

    pip's configuration, and the folders and certificates that it names, are lent to the step alone.
    """
    named = {word for value in pip_variables().values() for word in value.split() if word.startswith("/")}
    mounts = {path: Path(path).resolve() for path in sorted(named.union(NETWORK)) if Path(path).exists()}
    for where, path in mounts.items():
        place = root / where.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        elif not place.exists():
            place.touch()
    return mounts


def pip_variables() -> dict[str, str]:
    """This machine's settings of pip, as variables."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    listed = (line.partition("=") for line in done.stdout.splitlines())
    found = {
        f"PIP_{name.rpartition('.')[2].upper().replace('-', '_')}": value.strip("'\"").replace("\\n", " ").strip()
        for name, _, value in listed
    }
    wanted = re.compile(r"(?i)PIP_.*|SSL_CERT_.*|REQUESTS_CA_BUNDLE|https?_proxy|no_proxy")
    return found | {name: value for name, value in os.environ.items() if wanted.fullmatch(name)}
