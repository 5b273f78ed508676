"""The bare download: every row is asked for, parsed and thrown away. Nothing that reads page by page can be quicker."""

from __future__ import annotations

import requests
from pages import RESOURCES, read_pages

with requests.Session() as session:
    for resource in RESOURCES:
        for _ in read_pages(session, resource, sort="created_at"):
            pass
