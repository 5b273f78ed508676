"""The picture: rows against seconds of first loads, both on logarithmic axes."""

from __future__ import annotations

from pathlib import Path

from figures import Figures
from loads import FIRST, IN_THE_PICTURE

STYLES = (("#27ae60", "D"), ("#2980b9", "s"), ("#c0392b", "o"), ("#7f8c8d", "^"))


def draw(figures: Figures, path: Path) -> None:
    """Draw a line for each program, with the seconds of its largest load."""
    # After all that is measured: see measuring.py.
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    canvas, axes = pyplot.subplots(figsize=(8, 5), dpi=120)
    for name, (color, marker) in zip(IN_THE_PICTURE, STYLES, strict=True):
        points = sorted((f.tickets, f.wall) for f in figures.measured if (f.program, f.what) == (name, FIRST))
        if points:
            rows, seconds = zip(*points, strict=True)
            axes.plot(rows, seconds, color=color, marker=marker, label=name)
            axes.annotate(f"{seconds[-1]:.1f} s", points[-1], (6, 0), textcoords="offset points", va="center")
    axes.set(xscale="log", yscale="log", xlabel="tickets", ylabel="seconds, the whole process", title="First load")
    axes.grid(which="both", alpha=0.25)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.margins(x=0.12)
    axes.legend(loc="upper left")
    canvas.tight_layout()
    canvas.savefig(path)
    pyplot.close(canvas)
