"""The table of many species in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import NARROW, open_page, problems, too_wide
from tests.reporting.page.support import make_page
from tests.reporting.page.test_species_section import CLASSES, parts

PAGE_ROWS = 5
FIRST, NEXT, PLACE = "details.species >> nth=0", ".pages button:last-of-type", ".pages .found"


@pytest.fixture
def paged(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    monkeypatch.setattr("longtail.reporting.page.species_section.PAGE_ROWS", PAGE_ROWS)
    return opened(browser, tmp_path / "paged.html")


def opened(browser: Browser, file: Path, width: int = NARROW) -> Page:
    """A page with its first table of species, which is opened."""
    file.write_text(make_page(species=parts("noctua_pronuba", "a<b>c")))
    page = open_page(browser, file, width)
    page.locator(FIRST).locator("summary").click()
    page.locator(FIRST).locator("tbody tr").first.wait_for()
    return page


def rows(page: Page) -> list[str]:
    return [row.inner_html() for row in page.locator(FIRST).locator("tbody tr").all()]


def test_all_pages_have_the_rows_of_the_whole_table(
    browser: Browser, paged: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, places = rows(paged), [paged.locator(PLACE).inner_text()]
    while paged.locator(NEXT).is_enabled():
        paged.locator(NEXT).click()
        found += rows(paged)
        places.append(paged.locator(PLACE).inner_text())
    assert places == ["Rows 1 to 5 of 12", "Rows 6 to 10 of 12", "Rows 11 to 12 of 12"]
    monkeypatch.setattr("longtail.reporting.page.species_section.PAGE_ROWS", CLASSES)
    whole = opened(browser, tmp_path / "whole.html")
    assert found == rows(whole) and len(found) == CLASSES
    assert not whole.locator(".pages").count()


def test_the_search_and_the_order_are_of_all_rows(paged: Page) -> None:
    paged.locator(FIRST).locator("input").fill("noctua pronuba")
    assert [text.count("pronuba") > 0 for text in rows(paged)] == [True] * len(rows(paged))
    paged.locator(FIRST).locator("input").fill("")
    paged.get_by_role("button", name="Training images").first.click()
    sizes = [row.split("<td>")[1].partition("<")[0] for row in rows(paged)]
    assert sizes == ["12", "20", "28", "36", "44"]


def test_pages_of_rows_are_accessible_and_fit(paged: Page) -> None:
    assert problems(paged) == []
    assert too_wide(paged) == []
