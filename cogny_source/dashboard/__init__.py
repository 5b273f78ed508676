"""The dashboard: one self-contained HTML file on the state of sync and tickets."""

from cogny_source.dashboard.page import render_report, write_report

__all__ = ["render_report", "write_report"]
