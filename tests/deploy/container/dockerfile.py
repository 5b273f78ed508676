"""What the Dockerfile and .dockerignore say, as far as this project's use of their languages goes."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

KNOWN = frozenset(
    ("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "HEALTHCHECK", "LABEL", "RUN", "USER", "VOLUME", "WORKDIR")
)


@dataclass(frozen=True)
class Step:
    """An instruction, such as `WORKDIR /data`.

    Attributes:
        name: Its first word.
        text: All that follows, on one line.
    """

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """What follows, word by word, as a shell would cut it."""
        return shlex.split(self.text)

    @property
    def command(self) -> list[str]:
        """The command of an ENTRYPOINT, CMD or HEALTHCHECK in exec form.

        Raises:
            ValueError: If it is in shell form, under which signals end at the shell.
        """
        start = self.text.find("[")
        if start < 0:
            raise ValueError(f"{self.name} {self.text}: not in exec form")
        command: list[str] = json.loads(self.text[start:])
        return command

    @property
    def pairs(self) -> dict[str, str]:
        """The `name=value` pairs of an ENV, ARG or LABEL."""
        return {name: value for name, _, value in (word.partition("=") for word in self.words)}


@dataclass
class Stage:
    """A FROM and the steps that follow it."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def last(self, name: str) -> Step:
        """The instruction of a name that counts."""
        return [step for step in self.steps if step.name == name][-1]


def read_dockerfile(text: str) -> list[Stage]:
    """The stages of a Dockerfile.

    Raises:
        ValueError: If it has an instruction that is not known here.
    """
    stages: list[Stage] = []
    for line in _logical_lines(text):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            base, *alias = rest.split()
            stages.append(Stage(base, alias[1] if alias else f"stage-{len(stages)}"))
        elif name in KNOWN:
            stages[-1].steps.append(Step(name, rest.strip()))
        else:
            raise ValueError(f"{name} is not known here")
    return stages


def copied_from_context(stage: Stage) -> list[str]:
    """The paths that a stage copies from the build's context."""
    copies = [step.words for step in stage.steps if step.name == "COPY"]
    return [path for words in copies if not words[0].startswith("--from=") for path in words[:-1]]


def sent_files(context: Path, ignore: str) -> list[Path]:
    """The files of a context that .dockerignore lets through, relative to it."""
    rules = [line for line in ignore.splitlines() if line and not line.startswith("#")]
    return list(_walk(context, Path(), rules))


def _walk(context: Path, folder: Path, rules: list[str]) -> Iterator[Path]:
    """The files of a folder that are sent; one of which nothing can be is not looked into."""
    for entry in sorted((context / folder).iterdir()):
        path = entry.relative_to(context)
        sent = _is_sent(path, rules)
        if not entry.is_dir():
            yield from [path] if sent else []
        elif sent or any(rule.startswith(f"!{path}/") for rule in rules):
            yield from _walk(context, path, rules)


def _is_sent(path: Path, rules: list[str]) -> bool:
    """The last rule that names a file, or a folder above it, decides."""
    sent = True
    for rule in rules:
        pattern = rule.removeprefix("!")
        if any(_names(pattern, part) for part in (path, *path.parents[:-1])):
            sent = rule.startswith("!")
    return sent


def _names(pattern: str, path: Path) -> bool:
    if pattern.startswith("**/"):
        return fnmatch(path.name, pattern.removeprefix("**/"))
    return len(path.parts) == pattern.count("/") + 1 and fnmatch(str(path), pattern)


def _logical_lines(text: str) -> Iterator[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    yield from (line for line in joined.splitlines() if line.strip())
