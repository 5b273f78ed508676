"""What a list brought: news is told from what came before, in little memory."""

from __future__ import annotations

import sys
from typing import Any

from cogny_source.api.news import MOST_KEPT, News


def page(start: int, count: int = 100, version: int = 0) -> list[dict[str, Any]]:
    """Rows of consecutive ids."""
    return [{"id": f"tkt_{number}", "updated_at": version} for number in range(start, start + count)]


def test_rows_are_news_once() -> None:
    """The same page again brings nothing, whatever came between."""
    news = News()
    assert [news.observe(page(start)) for start in (0, 100, 0, 50, 150)] == [True, True, False, False, True]
    assert news.observe([]) is False


def test_a_new_version_is_news() -> None:
    """A row that changed meanwhile counts as another."""
    news = News()
    assert [news.observe(page(0, version=version)) for version in (0, 1, 0)] == [True, True, False]


def test_a_million_rows_take_a_few_megabytes_and_stay_news() -> None:
    """No page of a long list is taken for an old one, and pages that come again are found."""
    news = News()
    assert False not in [news.observe(page(start)) for start in range(0, 1_000_000, 100)]
    assert len(news) <= MOST_KEPT
    assert sys.getsizeof(news._kept) + 32 * len(news) < 5 * 2**20
    again = [news.observe(page(start)) for start in range(0, 100_000, 100)]
    assert True not in again
    assert again.count(False) > 100
