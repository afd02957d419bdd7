"""What a browser makes of a report."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import NARROW, WIDE, Scheme, open_page, problems, screens, too_wide, unfold
from tests.pipelines.support import Run

CONTENTS = "nav a"


@pytest.fixture
def narrow(browser: Browser, full: Run) -> Page:
    return open_page(browser, full.file("digits_report"), NARROW)


@pytest.fixture
def wide(browser: Browser, full: Run) -> Page:
    return open_page(browser, full.file("digits_report"), WIDE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_contrast_and_structure_are_accessible(
    browser: Browser, full: Run, width: int, scheme: Scheme
) -> None:
    page = open_page(browser, full.file("digits_report"), width, scheme)
    unfold(page)
    assert problems(page) == []
    assert too_wide(page) == []


def test_the_first_screen_has_the_answer_and_its_figure(wide: Page) -> None:
    for selector in ("h2#best", "table.answers", "figure img"):
        box = wide.locator(selector).first.bounding_box()
        assert box is not None
        assert box["y"] < wide.viewport_size["height"]  # type: ignore[index]
    # Four backbones have three more screens than these two.
    assert screens(wide) < 7


def test_the_contents_stay_in_view_beside_the_text(wide: Page) -> None:
    wide.locator(CONTENTS).last.click()
    wide.wait_for_function("window.scrollY > 0")
    assert all(link.is_visible() for link in wide.locator(CONTENTS).all())
    box = wide.locator(CONTENTS).first.bounding_box()
    assert box is not None and 0 <= box["y"] < 100


def test_the_contents_are_folded_on_a_narrow_screen(narrow: Page) -> None:
    assert not narrow.locator(CONTENTS).first.is_visible()
    narrow.get_by_text("Contents", exact=True).click()
    chosen = narrow.locator(CONTENTS).last
    chosen.click()
    assert not chosen.is_visible()
    assert narrow.get_by_text("Contents", exact=True).is_visible()
    heading = narrow.locator("h2").last.bounding_box()
    bar = narrow.locator("nav").bounding_box()
    assert heading is not None and bar is not None and heading["y"] >= bar["height"]


def test_the_first_column_stays_in_view_where_a_table_scrolls(narrow: Page) -> None:
    box = narrow.locator(".scroll", has=narrow.locator("table.answers"))
    cell = box.locator("tbody th").first
    before = cell.bounding_box()
    box.evaluate("box => { box.scrollLeft = 150; }")
    assert box.evaluate("box => box.scrollLeft") == 150
    assert cell.bounding_box() == before


def test_everything_is_printed(wide: Page) -> None:
    folded = wide.locator("details:not([open]) table").first
    assert not folded.is_visible()
    wide.emulate_media(media="print")
    assert all(table.is_visible() for table in wide.locator("table").all())
    assert not wide.locator(CONTENTS).first.is_visible()
