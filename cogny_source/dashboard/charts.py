"""Charts as SVG: widths scale with the page, texts keep their size on any screen.

Horizontal positions are per cent, vertical ones pixels. The style sheet colours by class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cogny_source.dashboard.axes import Scale
from cogny_source.formatting import short_number

# The plot's left and right edge in per cent, beside an axis of numbers or of names.
NUMBERS = (11.0, 97.0)
NAMES = (24.0, 100.0)
# Numbers of labels below a picture; the first that spaces them evenly is used.
LABELS_BELOW = (6, 5, 4)
TEXT = Markup('<text x="{:.2f}%" y="{:.1f}"{}>{}</text>')
LINE = Markup('<line x1="{:.2f}%" x2="{:.2f}%" y1="{:.1f}" y2="{:.1f}" class="{}"/>')
RECT = Markup('<rect x="{:.2f}%" y="{:.1f}" width="{:.2f}%" height="{:.1f}" class="{}"/>')
DOT = Markup('<circle cx="{:.2f}%" cy="{:.1f}" r="{}" class="{}"/>')
EMPTY = Markup("")


@dataclass(frozen=True)
class Bar:
    """A named amount.

    Attributes:
        name: Its name.
        value: The amount.
        told: The amount in words.
        look: The class for its colour.
    """

    name: str
    value: float
    told: str
    look: str = "mark"


@dataclass(frozen=True)
class Range:
    """The distribution of a named amount.

    Attributes:
        name: Its name.
        ranks: Its values at 10, 25, 50, 75 and 90 per cent.
        told: The median and the number of values, in words.
    """

    name: str
    ranks: Sequence[float]
    told: str


@dataclass(frozen=True)
class Panel:
    """A series of amounts, such as one a run.

    Attributes:
        name: The name of the amount.
        values: The amounts; None leaves a gap.
        flawed: The amounts to mark with a cross.
        scale: Their axis.
        told: The last or largest amount, in words.
        stepped: Whether each amount lasts until the next one; otherwise each is a single event.
    """

    name: str
    values: Sequence[float | None]
    flawed: Sequence[bool]
    scale: Scale
    told: str
    stepped: bool = False


def draw(parts: Iterable[Markup], height: float, label: str) -> Markup:
    """A picture with a description for screen readers."""
    return Markup('<svg role="img" aria-label="{}" width="100%" height="{:.0f}">{}</svg>').format(
        label, height, EMPTY.join(parts)
    )


def opposed_columns(
    above: Sequence[float], below: Sequence[float | None], scale: Scale, *, titles: tuple[str, str]
) -> Markup:
    """Columns upwards and downwards from a line, on one scale; 210 pixels high.

    Args:
        above: The amounts upwards.
        below: The amounts downwards; as many. None for one that is not known, which is drawn grey.
        scale: The scale of both directions.
        titles: Their titles.
    """
    half, middle = 84.0, 106.0
    parts = []
    for tick in scale.ticks:
        for side in (-1, 1) if tick else (1,):
            y = middle + side * half * scale.place(tick)
            parts += [_grid(y, axis=tick == 0), _text(NUMBERS[0] - 1, y + 4, short_number(tick), "end")]
    slot = (NUMBERS[1] - NUMBERS[0]) / max(1, len(above))
    for place, values in enumerate(zip(above, below, strict=True)):
        if values[1] is None:
            parts.append(RECT.format(NUMBERS[0] + slot * place, middle, slot, half, "track"))
        for value, look, is_above in zip(values, ("opened", "closed"), (True, False), strict=True):
            size = half * scale.place(value or 0)
            x = NUMBERS[0] + slot * (place + 0.15)
            parts.append(RECT.format(x, middle - size if is_above else middle, slot * 0.7, size, look))
    parts.append(_text(NUMBERS[0], 12, f"↑ {titles[0]}", look="name"))
    parts.append(_text(NUMBERS[0], 2 * middle - 2, f"↓ {titles[1]}", look="name"))
    return EMPTY.join(parts)


def columns(bars: Sequence[Bar], scale: Scale, *, top: float = 18, size: float = 120) -> Markup:
    """Columns side by side, with names below and amounts above; 20 pixels higher than `top` and `size`."""
    parts = [_grid(top + size * (1 - scale.place(tick)), axis=tick == 0) for tick in scale.ticks]
    parts += [
        _text(NUMBERS[0] - 1, top + size * (1 - scale.place(tick)) + 4, short_number(tick), "end")
        for tick in scale.ticks
    ]
    slot = (NUMBERS[1] - NUMBERS[0]) / max(1, len(bars))
    for place, bar in enumerate(bars):
        x, height = NUMBERS[0] + slot * place, size * scale.place(bar.value)
        parts.append(RECT.format(x + slot * 0.12, top + size - height, slot * 0.76, height, bar.look))
        parts.append(_text(x + slot / 2, top + size - height - 5, bar.told, "middle", "value"))
        parts.append(_text(x + slot / 2, top + size + 16, bar.name, "middle"))
    return EMPTY.join(parts)


def bars(items: Sequence[Bar], total: float) -> Markup:
    """Horizontal bars under their names, as shares of a total; 44 pixels each."""
    parts = []
    for place, bar in enumerate(items):
        y = 44 * place
        parts += [_text(0, y + 15, bar.name, look="name"), _text(100, y + 15, bar.told, "end", "value")]
        parts.append(RECT.format(0, y + 22, 100, 10, "track"))
        parts.append(RECT.format(0, y + 22, 100 * bar.value / total, 10, bar.look))
    return EMPTY.join(parts)


def ranges(items: Sequence[Range], scale: Scale, name_tick: Callable[[float], str]) -> Markup:
    """Box plots: median, middle half, and 10 to 90 per cent; 52 pixels each, and 20 below."""
    left, right = 2.0, 98.0
    bottom = 52 * len(items)
    places = [(tick, left + (right - left) * scale.place(tick)) for tick in scale.ticks]
    parts = [
        Markup('<line x1="{0:.2f}%" x2="{0:.2f}%" y1="0" y2="{1}" class="grid"/>').format(x, bottom) for _, x in places
    ]
    parts += [
        _text(x, bottom + 15, name_tick(tick), "start" if x < 8 else "end" if x > 92 else "middle")
        for tick, x in places
    ]
    for place, item in enumerate(items):
        y = 52 * place
        low, lower, middle, upper, high = (left + (right - left) * scale.place(value) for value in item.ranks)
        parts += [_text(0, y + 15, item.name, look="name halo"), _text(100, y + 15, item.told, "end", "value halo")]
        parts.append(LINE.format(low, high, y + 33, y + 33, "whisker"))
        parts.append(RECT.format(lower, y + 26, max(upper - lower, 0.4), 14, "box"))
        parts.append(DOT.format(middle, y + 33, 5, "middle"))
    return EMPTY.join(parts)


def grid(rows: Sequence[tuple[str, Sequence[int]]], headings: Sequence[str]) -> Markup:
    """A heat map; 34 pixels a row, and 24 above."""
    most = max((value for _, values in rows for value in values), default=0)
    slot = (NAMES[1] - NAMES[0]) / len(headings)
    parts = [_text(NAMES[0] + slot * (place + 0.5), 15, heading, "middle") for place, heading in enumerate(headings)]
    for number, (name, values) in enumerate(rows):
        y = 24 + 34 * number
        parts.append(_text(0, y + 20, name, look="name"))
        for place, value in enumerate(values):
            x = NAMES[0] + slot * place
            shade = 0 if not value else 1 + min(4, 5 * value // (most + 1))
            parts.append(RECT.format(x + 0.3, y + 1, slot - 0.6, 31, f"shade{shade}"))
            parts.append(_text(x + slot / 2, y + 21, f"{value:,}", "middle", "value" if value else "nothing"))
    return EMPTY.join(parts)


def panels(items: Sequence[Panel], *, size: float = 64) -> Markup:
    """Pictures with a common axis below each other, under their names; `size` and 46 pixels each."""
    parts = []
    for number, panel in enumerate(items):
        top = number * (size + 46) + 30
        parts += [_text(0, top - 14, panel.name, look="name"), _text(100, top - 14, panel.told, "end", "value")]
        for tick in panel.scale.ticks:
            y = top + size * (1 - panel.scale.place(tick))
            parts += [
                _grid(y, axis=tick == panel.scale.ticks[0]),
                _text(NUMBERS[0] - 1, y + 4, short_number(tick), "end"),
            ]
        parts += _steps(panel, top, size) if panel.stepped else _stems(panel, top, size)
    return EMPTY.join(parts)


def _stems(panel: Panel, top: float, size: float) -> list[Markup]:
    """A dot for each amount with a line to the axis; a cross if it is flawed."""
    parts = []
    slot = (NUMBERS[1] - NUMBERS[0]) / max(1, len(panel.values))
    for place, (value, is_flawed) in enumerate(zip(panel.values, panel.flawed, strict=True)):
        x = NUMBERS[0] + slot * (place + 0.5)
        if value is not None:
            y = top + size * (1 - panel.scale.place(value))
            if value:
                parts.append(LINE.format(x, x, y, top + size, "stem"))
            parts.append(_text(x, y + 4, "×", "middle", "cross") if is_flawed else DOT.format(x, y, 2.5, "dot"))
    return parts


def _steps(panel: Panel, top: float, size: float) -> list[Markup]:
    """A step line."""
    parts = []
    slot = (NUMBERS[1] - NUMBERS[0]) / max(1, len(panel.values))
    before: float | None = None
    for place, value in enumerate(panel.values):
        if value is None:
            continue
        x, y = NUMBERS[0] + slot * place, top + size * (1 - panel.scale.place(value))
        if before is not None and before != y:
            parts.append(LINE.format(x, x, before, y, "step"))
        gap = next((n for n, later in enumerate(panel.values[place + 1 :], 1) if later is not None), 1)
        parts.append(LINE.format(x, x + slot * gap, y, y, "step"))
        before = y
    return parts


def labels_below(names: Sequence[str], y: float) -> Markup:
    """Evenly spaced labels below a series."""
    slot, steps = (NUMBERS[1] - NUMBERS[0]) / len(names), len(names) - 1
    shown = next((number for number in LABELS_BELOW if steps % (number - 1) == 0), min(LABELS_BELOW[1], len(names)))
    places = sorted({round(number * steps / max(1, shown - 1)) for number in range(shown)})
    return EMPTY.join(_text(NUMBERS[0] + slot * (place + 0.5), y, names[place], "middle") for place in places)


def _grid(y: float, *, axis: bool) -> Markup:
    return LINE.format(*NUMBERS, y, y, "axis" if axis else "grid")


def _text(x: float, y: float, text: str, anchor: str = "start", look: str = "") -> Markup:
    attributes = Markup(' text-anchor="{}"').format(anchor) if anchor != "start" else EMPTY
    if look:
        attributes += Markup(' class="{}"').format(look)
    return TEXT.format(x, y, attributes, text)
