"""The documentation's site: its pages and links, and that it asks nobody but itself."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import mkdocs_hooks
import pytest
from mkdocs.exceptions import PluginError
from mkdocs_hooks import ELSEWHERE, move_links

import cogny_source
from tests.support.browser import Browser, open_browser
from tests.support.syncs import ROOT

PHONE, DESK = (360, 780), (1280, 900)
DIAGRAMS = {"architecture": 3, "tables": 1}
PATIENCE_SECONDS = 30


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make site` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser for all tests here."""
    with open_browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


class References(HTMLParser):
    """What a page links to and loads, and the places in it that can be linked to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.places = {""}
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag's links and its place."""
        values = {name: value or "" for name, value in attrs}
        self.targets += [values[name] for name in ("href", "src") if name in values]
        self.places |= {values[name] for name in ("id", "name") if name in values}


def test_every_link_leads_to_a_page_and_a_place_in_it(site: Path) -> None:
    """Also those that the theme and the docstrings make; none leaves the site but where a person clicks it."""
    pages = {path: References(path) for path in site.rglob("*.html") if path.name != "404.html"}
    broken = [
        (path.name, target)
        for path, page in pages.items()
        for target in page.targets
        if "://" not in target and not leads_somewhere(path, target, pages)
    ]
    assert broken == []


def leads_somewhere(path: Path, target: str, pages: dict[Path, References]) -> bool:
    """Whether a link of a page leads to a file, and to a place in it that is there."""
    file, _, place = target.partition("#")
    found = (path.parent / unquote(file)).resolve() if file else path
    return found.exists() and (found not in pages or unquote(place) in pages[found].places)


def test_every_page_of_the_repository_is_in_the_site(site: Path) -> None:
    """Those of docs/ and those that lie elsewhere, and nothing else."""
    sources = {path.stem for path in (ROOT / "docs").glob("*.md")}
    elsewhere = {uri.removesuffix(".md") for uri in ELSEWHERE.values() if uri.endswith(".md")}
    built = {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")}
    assert built == sources | elsewhere | {"404"}


def test_python_page_shows_what_the_package_exports(site: Path) -> None:
    """Each name of `__all__` has its heading, and no other name of the package."""
    headings = re.findall(r'<h2 id="cogny_source\.(\w+)"', (site / "python.html").read_text(encoding="utf-8"))
    assert sorted(headings) == cogny_source.__all__


@pytest.mark.parametrize(
    ("uri", "link", "moved"),
    [
        ("index.md", "[faq](docs/faq.md)", "[faq](faq.md)"),
        ("index.md", "![page](docs/report.png)", "![page](report.png)"),
        ("index.md", "[rules](CONTRIBUTING.md#rules)", "[rules](contributing.md#rules)"),
        ("faq.md", "[alerts](operations.md#alerts)", "[alerts](operations.md#alerts)"),
        ("faq.md", "[below](#below)", "[below](#below)"),
        ("faq.md", "[home](../README.md)", "[home](index.md)"),
        ("architecture.md", "[measured](../benchmarks/README.md)", "[measured](benchmarks/index.md)"),
        ("benchmarks/index.md", "[figures](RESULTS.md)", "[figures](results.md)"),
        ("schedules.md", "files in [deploy/](../deploy), both", "files in deploy/, both"),
        ("faq.md", "[nothing](nowhere.md)", "[nothing](nowhere.md)"),
        ("faq.md", "[nothing](../nowhere.md)", "[nothing](../nowhere.md)"),
        ("faq.md", "[dlt](https://dlthub.com)", "[dlt](https://dlthub.com)"),
        ("faq.md", "```\n[a](../README.md)\n```\n", "```\n[a](../README.md)\n```\n"),
    ],
)
def test_links_are_moved_into_the_site(uri: str, link: str, moved: str) -> None:
    """What is right in the repository is right in the site; what is right in neither stays, and fails the build."""
    assert move_links(link, uri) == moved


def test_another_script_than_mermaids_own_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script comes with a package of somebody else; its checksum is that of mermaid's release."""
    monkeypatch.setattr(mkdocs_hooks, "MERMAID_SHA256", "0" * 64)
    with pytest.raises(PluginError, match="another mermaid"):
        mkdocs_hooks.read_mermaid()


def wait_for(browser: Browser, script: str) -> None:
    """Wait until a script returns true in the page."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not browser.run(script):
        assert time.monotonic() < deadline, script
        time.sleep(0.02)


@pytest.mark.parametrize(("size", "colours"), [(PHONE, "dark"), (DESK, "light")])
def test_pages_load_nothing_from_elsewhere(site: Path, browser: Browser, size: tuple[int, int], colours: str) -> None:
    """Opened from a disk each page is whole: no request leaves, no error is told, nothing is wider than the screen."""
    for page in sorted(site.rglob("*.html")):
        if page.name == "404.html":  # its links are those of a server
            continue
        browser.show(page, size, colours)
        diagrams = DIAGRAMS.get(page.stem, 0)
        wait_for(browser, f"return document.querySelectorAll('div.mermaid').length == {diagrams}")
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), page.name
        assert browser.list_complaints() == []
        assert [url for url in browser.list_requests() if not url.startswith(("file:", "data:"))] == []


def test_search_finds_a_word_without_a_server(site: Path, browser: Browser) -> None:
    """A page that is opened from a disk may start no worker; the search runs all the same."""
    browser.show(site / "index.html", DESK, "light")
    browser.run(
        "const input = document.querySelector('.md-search__input'); input.focus(); input.value = 'watermark';"
        "input.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true}))"
    )
    wait_for(browser, "return document.querySelectorAll('.md-search-result__item').length > 0")
    links = browser.run("return [...document.querySelectorAll('.md-search-result__item a')].map(link => link.pathname)")
    assert "glossary.html" in {Path(link).name for link in links}
    assert browser.list_complaints() == []
