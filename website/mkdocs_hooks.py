"""What the site adds to docs/: pages that lie elsewhere, the links between all of them, and the diagrams' script."""

from __future__ import annotations

import hashlib
import posixpath
import re
from importlib.metadata import distribution
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

ROOT = Path(__file__).parent.parent
# Where a file outside docs/ stands in the site.
ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks/index.md",
    "benchmarks/RESULTS.md": "benchmarks/results.md",
    "benchmarks/rows_against_seconds.png": "benchmarks/rows_against_seconds.png",
    "website/python.md": "python.md",
    "website/adapter.md": "adapter.md",
    "website/site.css": "assets/site.css",
    "website/iframe-worker.js": "assets/iframe-worker.js",
    "website/diagrams.js": "assets/diagrams.js",
}
SOURCES = {uri: source for source, uri in ELSEWHERE.items()}
MERMAID = "assets/mermaid.js"
DIAGRAM_SCRIPTS = (MERMAID, "assets/diagrams.js")
# The checksum of mermaid 11.16.0's own mermaid.min.js, which mermaidx holds unchanged.
MERMAID_SHA256 = "74d7c46dabca328c2294733910a8aa1ed0c37451776e8d5295da38a2b758fb9b"
# A fenced block, which stays as it is, or a link's text and target.
LINK = re.compile(
    r"^(?P<fence>```.*?^```)|\[(?P<text>[^\]\[]*)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)", re.M | re.S
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/, and the diagrams' script."""
    for source, uri in ELSEWHERE.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))
    files.append(File.generated(config, MERMAID, content=read_mermaid()))
    return files


def read_mermaid() -> bytes:
    """Mermaid as its makers released it.

    Raises:
        PluginError: If the installed package holds anything else.
    """
    script = Path(str(distribution("mermaidx").locate_file("mermaidx/assets/mermaid.js"))).read_bytes()
    if hashlib.sha256(script).hexdigest() != MERMAID_SHA256:
        raise PluginError(
            "mermaidx holds another mermaid.js than the one whose checksum stands in website/mkdocs_hooks.py"
        )
    return script


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead within the site, and give the first page, which has no neighbours, the whole width."""
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]
    return move_links(markdown, page.file.src_uri)


def move_links(markdown: str, uri: str) -> str:
    """A page's text with links that are right in the repository turned into those of the site.

    A link to a file that is not in the site becomes its text. One that leads nowhere stays, and fails a strict build.

    Args:
        markdown: The text.
        uri: Where the page stands in the site.
    """
    folder = posixpath.dirname(SOURCES.get(uri, f"docs/{uri}"))

    def move(match: re.Match[str]) -> str:
        if match["fence"] or "://" in match["target"]:
            return match[0]
        path = posixpath.normpath(posixpath.join(folder, match["target"]))
        if path in ELSEWHERE or path.startswith("docs/"):
            moved = posixpath.relpath(ELSEWHERE.get(path, path.removeprefix("docs/")), posixpath.dirname(uri) or ".")
            return f"[{match['text']}]({moved}{match['anchor'] or ''})"
        return match["text"] if (ROOT / path).exists() else match[0]

    return LINK.sub(move, markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Load the diagrams' script, 3.5 MB, where there are diagrams; the theme would take it from elsewhere."""
    if '<pre class="mermaid">' not in output:
        return output
    scripts = "".join(f'<script src="{get_relative_url(uri, page.url)}"></script>' for uri in DIAGRAM_SCRIPTS)
    return output.replace("</head>", f"{scripts}</head>", 1)
