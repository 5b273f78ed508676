"""A page on the state of the sync and of the tickets: one HTML file that needs nothing else."""

from cogny_source.dashboard.page import write_report

__all__ = ["write_report"]
