"""The commands that README.md and the pages of docs/ show, run as they stand there."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from cogny_source.cli import sync_command
from tests.support.syncs import ROOT, Script

PAGES = sorted((ROOT / "docs").glob("*.md"))
SCRIPT = re.compile(r"^    \.venv/bin/python pipelines/cogny_to_(\w+)\.py(.*?)(?:\s+#.*)?$", re.MULTILINE)
# Would need a bucket or an account.
ELSEWHERE = ("s3://", "gs://", "--project")


def shell_commands(page: Path) -> list[list[str]]:
    """The lines of a page's `sh` blocks that begin with `cogny`."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("cogny ")]


PAGES_WITH_COMMANDS = [page for page in (ROOT / "README.md", *PAGES) if shell_commands(page)]


@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS, ids=lambda page: page.stem)
def test_commands_of_a_page(cogny: Script, page: Path) -> None:
    """One after the other in an empty folder, each ends with 0."""
    for command in shell_commands(page):
        cogny(*command)


def test_scripts_of_the_pages(cogny: Script) -> None:
    """Those that need a bucket or an account are read, the others run."""
    pages = [page.read_text(encoding="utf-8") for page in (ROOT / "README.md", *PAGES)]
    found = [script for text in pages for script in SCRIPT.findall(text)]
    assert {destination for destination, _ in found} == {"duckdb", "parquet", "bigquery"}
    for destination, rest in found:
        arguments = shlex.split(rest)
        if any(mark in rest for mark in ELSEWHERE):
            sync_command(destination).make_context("script", arguments)
        else:
            cogny("sync", destination, *arguments)


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there."""
    links = re.findall(r"\]\(([^)#]+?)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_readme_stays_short() -> None:
    """It leads to the pages, each of which it names."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert [page.name for page in PAGES if f"docs/{page.name}" not in text] == []


def test_guarantees_name_tests_that_are_there() -> None:
    """Each promise names its test."""
    text = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w./]+)`", text)
    assert len(named) > 40
    assert [name for name in named if not (ROOT / name).exists()] == []


def printed_texts() -> list[str]:
    """Every text in the package's code, with `…` where a value is put in."""
    texts = []
    for path in (ROOT / "cogny_source").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(re.sub(r"%[sd]|%\.\df", "…", node.value))
    return texts


def test_messages_are_what_the_program_prints() -> None:
    """Each message of the FAQ is in the code, word for word but for the values."""
    cells = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "faq.md").read_text(encoding="utf-8"), re.MULTILINE)
    messages = [message for cell in cells for message in re.findall(r"`(.+?)`", cell)]
    texts = printed_texts()
    unknown = [message for message in messages if not any(_matches(message, text) for text in texts)]
    assert len(messages) > 40
    assert unknown == []


def _matches(message: str, text: str) -> bool:
    parts = [re.escape(part.strip()) for part in message.split("…")]
    return re.search(".*".join(parts), text, re.DOTALL) is not None
