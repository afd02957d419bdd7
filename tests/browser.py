"""A browser for tests of pages: what axe-core finds, and what is wider than the screen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
Scheme = Literal["light", "dark"]
HEIGHT = 900
WIDE, NARROW = 1400, 400


@contextmanager
def chromium() -> Iterator[Browser]:
    """The Chromium of this machine, without a window. Tests are skipped where there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no browser: install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found)
        yield browser
        browser.close()


def open_page(
    browser: Browser,
    file: Path,
    width: int = WIDE,
    color_scheme: Scheme = "light",
) -> Page:
    """Show a file in a window of some width, without the network."""
    context = browser.new_context(
        viewport={"width": width, "height": HEIGHT}, color_scheme=color_scheme, offline=True
    )
    page = context.new_page()
    page.goto(file.as_uri())
    return page


def unfold(page: Page) -> None:
    """Open everything that is folded."""
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")


def problems(page: Page) -> list[str]:
    """What axe-core finds, such as text with too little contrast: the rule and the element."""
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:200]} ({node['failureSummary']})"
        for rule in found
        for node in rule["nodes"]
    ]


def too_wide(page: Page) -> list[str]:
    """The elements that make the page wider than the screen, as the beginnings of their HTML."""
    if not page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    ):
        return []
    wide: list[str] = page.evaluate(
        """[...document.body.querySelectorAll("*")]
             .filter(one => !one.closest(".scroll")
                     && one.getBoundingClientRect().right > document.documentElement.clientWidth)
             .map(one => one.outerHTML.slice(0, 200))"""
    )
    return wide or ["unknown element"]


def screens(page: Page) -> float:
    """The height of the page, in screens."""
    height: float = page.evaluate("document.documentElement.scrollHeight / window.innerHeight")
    return height
