"""The report in a browser: on a phone and a large screen, by day and by night, with hostile texts and without data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dlt
import pytest

from cogny_source import sync
from cogny_source.dashboard import write_report
from cogny_source.destinations.registry import open_session
from cogny_source.sandbox import SandboxServer, World
from tests.integration.test_dashboard import FIGURES, HOSTILE
from tests.support.browser import Browser, open_browser
from tests.support.syncs import make_pipeline, settings_for
from tests.support.truth import Ask

SCREENS = [(360, 800), (1280, 900)]
# The least contrast that WCAG 2.2 asks for: of texts (AA), and of the parts of a picture.
OF_TEXT, OF_SHAPES = 4.5, 3.0
# Of each text the colour, and what is painted below it, down to the page; half-transparent layers are laid over it.
CONTRASTS = """
    const parse = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const contrast = (a, b) => {
        const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
        return (high + 0.05) / (low + 0.05);
    };
    const over = (top, share, below) => below.map((v, i) => top[i] * share + v * (1 - share));
    const ground = element => {
        for (let at = element; at; at = at.parentElement) {
            const [r, g, b, a = 1] = parse(getComputedStyle(at).backgroundColor);
            if (a === 1) return [r, g, b];
        }
        throw new Error('nothing below');
    };
    const below = element => {
        const text = element.getBoundingClientRect();
        const [x, y] = [text.x + text.width / 2, text.y + text.height / 2];
        let colour = ground(element.closest('svg').parentElement);
        for (const rect of element.closest('svg').querySelectorAll('rect')) {
            const box = rect.getBoundingClientRect(), style = getComputedStyle(rect);
            if (style.fill !== 'none' && box.left <= x && x <= box.right && box.top <= y && y <= box.bottom)
                colour = over(parse(style.fill), Number(style.opacity), colour);
        }
        return colour;
    };
    const found = [];
    for (const element of document.querySelectorAll('body *')) {
        const style = getComputedStyle(element);
        const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
        const box = element.getBoundingClientRect();
        if (element.tagName === 'text')
            found.push(['text', element.textContent, contrast(parse(style.fill), below(element))]);
        else if (own && box.width > 1 && box.height > 1)
            found.push(['text', [...element.textContent].slice(0, 40).join(''),
                contrast(parse(style.color), ground(element))]);
        else if (element.matches('.opened, .closed, .mark, .good, .bad, .dot, .middle') && element.closest('svg'))
            found.push(['shape', element.getAttribute('class'),
                contrast(parse(style.fill), ground(element.closest('figure')))]);
    }
    return found;
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests."""
    with open_browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page on data with hostile texts and runs that failed, and one on nothing."""
    folder = tmp_path_factory.mktemp("pages")
    return {"full": folder / "full.html", "empty": folder / "empty.html"}


@pytest.fixture(params=["full", "empty"])
def page(
    request: pytest.FixtureRequest, pages: dict[str, Path], pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> Path:
    """One of them, written once."""
    path = pages[request.param]
    if not path.exists():
        if request.param == "full":
            fill(pipeline, ask, tmp_path)
        write_report(open_session(make_pipeline(tmp_path), 10), path, datetime.now(UTC))
    return path


def fill(pipeline: dlt.Pipeline, ask: Ask, folder: Path) -> None:
    """Sync a world of which some titles are hostile, and put sixty runs with waits and errors on record."""
    with SandboxServer(World(seed=3, tickets=400, reports=40, warehouses=3)) as sandbox:
        for place, title in enumerate(HOSTILE):
            impact = {"metric": title, "increase_percentage": 99.0, "confidence": 0.5}
            row = {**sandbox.world.rows("tickets")[place], "title": title, "status": "open", "effort": "low"}
            sandbox.world.put("tickets", {**row, "estimated_impact": impact})
        sync(pipeline, settings_for(sandbox))
        sandbox.world.advance(datetime.now(UTC), created=10, changed=200)
        sync(make_pipeline(folder), settings_for(sandbox))
    text = (" ".join(HOSTILE)).replace("'", "''")
    ask(
        "INSERT INTO sync_runs BY NAME SELECT sync_runs.* REPLACE (run_id || n AS run_id, started_at - to_hours(n) AS"
        " started_at, n * 1.5 AS waited_seconds, n % 3 AS throttled, n % 5 AS retries, CASE n % 9 WHEN 0 THEN 'failed'"
        f" ELSE 'done' END AS status, CASE n % 9 WHEN 0 THEN '{text}' END AS error)"
        " FROM sync_runs, range(1, 60) AS runs(n)"
    )


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", SCREENS)
def test_page_is_readable(browser: Browser, page: Path, size: tuple[int, int], colours: str) -> None:
    """Nothing overflows, loads or complains, each picture has its room, and each text stands out from its ground."""
    browser.show(page, size, colours)
    width, needed = browser.run("return [innerWidth, document.scrollingElement.scrollWidth]")
    assert (width, needed) == (size[0], size[0])
    assert browser.list_complaints() == []
    asked = {url.partition(",")[0] for url in browser.list_requests()}
    assert asked <= {page.as_uri(), "data:image/svg+xml;base64"}
    pictures = browser.run(
        "return [...document.querySelectorAll('svg')].map(e => [e.closest('figure').id, e.getBoundingClientRect()])"
    )
    assert {slug for slug, _ in pictures} == (FIGURES if page.stem == "full" else set())
    assert all(box["width"] > 250 and box["height"] > 80 for _, box in pictures)
    assert outside(browser) == []
    assert faint(browser) == []


def outside(browser: Browser) -> list[str]:
    """The texts of pictures that reach out of the screen."""
    script = """return [...document.querySelectorAll('text')].filter(element => {
        const box = element.getBoundingClientRect();
        return box.left < 0 || box.right > innerWidth || !box.width;
    }).map(element => element.textContent)"""
    found: list[str] = browser.run(script)
    return found


def faint(browser: Browser) -> list[tuple[str, str, float]]:
    """The texts and shapes that do not stand out enough; all tables are opened first."""
    browser.run("document.querySelectorAll('details').forEach(element => { element.open = true })")
    found = browser.run(CONTRASTS)
    assert len(found) > 20
    least = {"text": OF_TEXT, "shape": OF_SHAPES}
    return [(kind, told, ratio) for kind, told, ratio in found if ratio < least[kind]]


def test_opened_tables_do_not_overflow(browser: Browser, page: Path) -> None:
    """On a phone, a table that is wider than the screen scrolls by itself."""
    browser.show(page, SCREENS[0], "light")
    browser.run("document.querySelectorAll('details').forEach(element => { element.open = true })")
    assert browser.run("return document.scrollingElement.scrollWidth") == SCREENS[0][0]


def test_script_in_a_title_never_runs(browser: Browser, page: Path) -> None:
    """Even one that would get into the page is refused by its policy."""
    browser.show(page, SCREENS[1], "light")
    browser.run("const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)")
    browser.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
    assert browser.run("return window.ran") is None
    assert browser.run("return document.querySelectorAll('main script, main img').length") == 0
