"""A figure of the page: title, statement, picture, and the same data as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from cogny_source.dashboard.charts import draw


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        slug: Its id in the page.
        title: Its title.
        reading: Its statement, in a line.
        headings: The table's headings.
        rows: The table's rows, as texts.
        note: The method.
        axes: Its axes with their units.
        picture: The picture; None if there is nothing to draw.
    """

    slug: str
    title: str
    reading: str
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    note: str = ""
    axes: str = ""
    picture: Markup | None = None

    def illustrate(self, parts: Sequence[Markup], height: float, axes: str) -> Figure:
        """The figure with a picture of a height in pixels."""
        label = f"{self.title}. {self.reading} {axes}"
        return replace(self, axes=axes, picture=draw(parts, height, label))
