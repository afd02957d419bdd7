"""Pages of the site that are files elsewhere in the project, and the links between them."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PROJECT = Path(__file__).parents[2]
FILE_OF = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "license.md": "LICENSE",
    "reference/data-folder.md": "data/README.md",
}
PAGE_OF = {file: page for page, file in FILE_OF.items()}
# What is left out beside pages that need the width.
WIDE = {"index.md": ["navigation"], "reference/methods.md": ["navigation", "toc"]}
LINK = re.compile(r"(?<=\]\()(?![a-z]+:)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for page, file in FILE_OF.items():
        text = (PROJECT / file).read_text(encoding="utf-8")
        title = "" if file.endswith(".md") else f"# {file.capitalize()}\n\n"
        files.append(File.generated(config, page, content=title + text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links between files of the project into links between pages of the site."""
    uri = page.file.src_uri
    if uri in WIDE:
        page.meta["hide"] = WIDE[uri]
    folder = PurePosixPath(FILE_OF.get(uri, f"docs/{uri}")).parent

    def relinked(link: re.Match[str]) -> str:
        file = os.path.normpath(folder / link[1])
        return os.path.relpath(PAGE_OF.get(file, file.removeprefix("docs/")), Path(uri).parent)

    return LINK.sub(relinked, markdown) if uri in FILE_OF or "](../../" in markdown else markdown
