"""The dashboard: one self-contained HTML file on the state of sync and tickets."""

from cogny_source.dashboard.page import write_report

__all__ = ["write_report"]
