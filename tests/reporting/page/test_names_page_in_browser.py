"""The page on which names are reviewed, in a real browser, opened as a file."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from longtail.naming.answers_table import DONT_KNOW
from longtail.reporting.page.names_page import most_doubtful, names_page
from longtail.schemas.user_csv import read_csv
from tests.browser import problems, unfold
from tests.reporting.page.names_table import SHEET, row

HOSTILE = "<img src=x onerror=document.title=1>.jpg"


def saved_page(folder: Path, rows: list[dict[str, Any]], originals: bool = False) -> Path:
    names, buffer = pd.DataFrame(rows), io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), 120, dtype=np.uint8)).save(buffer, "WEBP")
    picture = base64.b64encode(buffer.getvalue()).decode()
    chosen = most_doubtful(names, 5000)
    files = {file: (folder, file) for file in names["file"]} if originals else {}
    page = names_page("Moths", names, chosen, dict.fromkeys(names["file"], picture), files, SHEET)
    file = folder / "names.html"
    file.write_text(page, encoding="utf-8")
    return file


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Six photographs, the most doubtful first: c, b, a with a hostile name, d, e, f."""
    return saved_page(
        tmp_path,
        [
            row(HOSTILE, DONT_KNOW, 0.5, "species 0.5, needs 0.8"),
            row("b.jpg", DONT_KNOW, 0.4, "species 0.4, needs 0.8") | {"note": "<b>several</b>"},
            row("c.jpg", DONT_KNOW, 0.3, "species 0.3, needs 0.8", species="xestia_baja"),
            row("d.jpg", "noctua_comes", 0.9, rank="species"),
            row("e.jpg", "noctua_comes", 0.92, rank="species"),
            row("f.jpg", "noctua", 0.95, rank="genus", species="noctua_fimbriata"),
        ],
    )


@pytest.fixture
def page(browser: Browser, night: Path) -> Iterator[Page]:
    yield from opened(browser, night)


def opened(browser: Browser, file: Path, **options: Any) -> Iterator[Page]:
    context = browser.new_context(accept_downloads=True, **options)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.goto(file.as_uri())
    yield page
    context.close()
    # A photograph that is gone is replaced by its thumbnail.
    assert [error for error in errors if "ERR_FILE_NOT_FOUND" not in error] == []


def until(page: Page, expression: str) -> None:
    """Wait for an expression; the policy of the page forbids what Playwright has for this."""
    for _ in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not within 5 seconds: {expression}")


def files_of(page: Page) -> list[str]:
    cards: list[str] = page.locator(".card").evaluate_all("all => all.map(c => c.ariaLabel)")
    return cards


def saved(page: Page, folder: Path) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.click("#save")
    file = folder / "corrections.csv"
    download.value.save_as(file)
    assert download.value.suggested_filename == "corrections.csv"
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline="")))


def chosen(page: Page, folder: Path) -> dict[str, tuple[str, str]]:
    return {each["file"]: (each["name"], each["qualifier"]) for each in saved(page, folder)}


def test_the_most_doubtful_come_first_and_hostile_names_are_text(page: Page) -> None:
    assert files_of(page) == ["c.jpg", "b.jpg", HOSTILE, "d.jpg", "e.jpg", "f.jpg"]
    assert page.title() == "Moths: named photographs"
    page.select_option("#order", "species")
    assert page.locator("h2 bdi").all_inner_texts() == ["Noctua comes", "Noctua sp.", "Xestia baja"]
    page.select_option("#show", "trusted")
    assert files_of(page) == ["d.jpg", "e.jpg", "f.jpg"]
    page.fill("#find", "fimbri")
    assert files_of(page) == ["f.jpg"]


def test_a_note_is_on_the_card_and_a_card_without_one_has_no_line_for_it(page: Page) -> None:
    assert page.locator(".remark").all_inner_texts() == ["<b>several</b>"]
    assert page.locator(".card", has=page.locator(".remark")).get_attribute("aria-label") == "b.jpg"


def test_everything_can_be_named_with_the_keyboard(page: Page, tmp_path: Path) -> None:
    keys = page.keyboard
    keys.press("ArrowRight")  # to the first photograph
    keys.press("2")  # its second guess
    keys.press("u")
    keys.press("n")
    keys.press("Enter")  # the trusted species is right
    keys.press("t")
    keys.type("noctua fimbriata")
    keys.press("Enter")
    keys.press("g")
    assert page.inner_text("#progress").startswith("6 of 6 checked")
    assert chosen(page, tmp_path) == {
        "c.jpg": ("xestia_baja", ""),
        "b.jpg": ("", "unknown"),
        HOSTILE: ("", "no animal"),
        "d.jpg": ("noctua_comes", ""),
        "e.jpg": ("noctua_fimbriata", ""),
        "f.jpg": ("noctua", "sp."),
    }


def test_without_a_genus_there_is_no_button_of_one(browser: Browser, tmp_path: Path) -> None:
    rows = [row("a.jpg", "noctua_comes", 0.9, rank="species"), row("b.jpg", DONT_KNOW, 0.4)]
    rows[0] |= {"genus": "", "genus_probability": float("nan")}
    for page in opened(browser, saved_page(tmp_path, rows)):
        assert page.locator("button", has_text=" sp.").all_inner_texts() == ["Noctua sp."]
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")  # from b.jpg, the more doubtful one, to a.jpg
        page.keyboard.press("g")
        assert page.inner_text("#progress").startswith("0 of 2 checked")


def test_undo_takes_back_the_last_step_even_of_many(page: Page, tmp_path: Path) -> None:
    page.select_option("#order", "species")
    page.click("text=All 4 are right")
    assert len(saved(page, tmp_path)) == 4
    assert page.locator("h2 button:visible").all_inner_texts() == ["It is right"] * 2
    page.keyboard.press("z")
    assert saved(page, tmp_path) == []
    assert page.is_disabled("#undo")


def test_similar_photographs_get_one_name_together(page: Page, tmp_path: Path) -> None:
    page.locator("[data-card='3']").focus()
    page.keyboard.press("s")
    assert files_of(page) == ["d.jpg", "e.jpg"]  # their guesses are alike
    page.click("text=Name all 2 Noctua comes")
    assert set(chosen(page, tmp_path)) == {"d.jpg", "e.jpg"}
    page.keyboard.press("Escape")
    assert len(files_of(page)) == 6


def test_choices_survive_a_reload_and_carry_who_and_when(page: Page, tmp_path: Path) -> None:
    page.fill("#by", 'Ann "A", B')
    page.keyboard.press("Tab")
    page.locator("[data-card='1'] >> text=✓ Right").click()
    page.reload()
    assert page.inner_text("#progress").startswith("1 of 6 checked")
    (only,) = saved(page, tmp_path)
    when = pd.Timestamp(only.pop("when"))
    assert abs((pd.Timestamp.now("UTC") - when).total_seconds()) < 60
    assert only == {
        "file": "b.jpg",
        "sha256": "hash of b.jpg",
        "box": "",
        "name": "noctua_comes",
        "qualifier": "",
        "by": 'Ann "A", B',
        "previous_answer": DONT_KNOW,
        "folder": "",
    }


def test_saved_corrections_can_be_loaded_again(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "from others.csv"
    file.write_text(
        "file;sha256;name;qualifier;by\r\n"
        "renamed.jpg;hash of b.jpg;xestia_baja;;Ben\r\n"
        "c.jpg;;noctua comes;cf.;'=1+1\r\n"
        "elsewhere.jpg;other hash;'=2+2;;Ben\r\n"
    )
    page.set_input_files("#load", file)
    until(page, "document.getElementById('progress').value.includes('2 loaded')")
    rows = {each["file"]: each for each in saved(page, tmp_path)}
    assert rows["b.jpg"]["name"] == "xestia_baja"
    assert (rows["c.jpg"]["qualifier"], rows["c.jpg"]["by"]) == ("cf.", "'=1+1")
    assert rows["elsewhere.jpg"]["name"] == "'=2+2"  # of another page: kept
    read = read_csv(str(tmp_path / "corrections.csv"), "corrections")
    assert read["by"].tolist()[0] in {"Ben", "=1+1"} and "=2+2" in read["name"].tolist()
    page.keyboard.press("z")
    assert saved(page, tmp_path) == []


def test_a_file_that_is_no_corrections_changes_nothing(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text("a,b\n1,2\n")
    page.set_input_files("#load", file)
    until(page, "document.getElementById('progress').value.includes('no columns')")
    assert saved(page, tmp_path) == []


def test_a_larger_picture_is_the_photograph_itself(browser: Browser, tmp_path: Path) -> None:
    Image.fromarray(np.full((300, 400, 3), 90, dtype=np.uint8)).save(tmp_path / "b 1.jpg")
    rows = [
        row("b 1.jpg", DONT_KNOW, 0.4, "unsure") | {"box": "40,30,100,60"},
        row("gone.jpg", DONT_KNOW, 0.5, "unsure") | {"box": ""},
    ]
    for page in opened(browser, saved_page(tmp_path, rows, originals=True)):
        page.locator("[data-card='0']").focus()
        page.keyboard.press("Space")
        until(page, "document.getElementById('picture').naturalWidth === 400")
        until(page, "!document.getElementById('box').hidden")
        sizes = [page.locator(f"#{name}").bounding_box() for name in ("picture", "box")]
        assert sizes[0] is not None and sizes[1] is not None
        assert sizes[1]["width"] / sizes[0]["width"] == pytest.approx(100 / 400, abs=0.01)
        page.keyboard.press("Enter")  # names it, and shows the next one
        until(page, "document.getElementById('picture').alt === 'gone.jpg'")
        assert page.inner_text("#progress").startswith("1 of 2")
        page.keyboard.press("Escape")
        until(page, "document.activeElement.ariaLabel === 'gone.jpg'")


def test_it_fits_a_phone_and_the_fingers(browser: Browser, night: Path, tmp_path: Path) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    for page in opened(browser, night, **phone):
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        button = page.locator("[data-card='2'] >> text=Unknown")
        place = button.bounding_box()
        assert place is not None and place["height"] >= 40
        button.tap()
        assert chosen(page, tmp_path) == {"c.jpg": ("", "unknown")}
        page.locator("[data-card='1'] .picture").tap()
        assert page.is_visible("#large") and page.is_visible("#controls >> text=✓ Right")
        assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_five_thousand_photographs_are_drawn_as_they_are_scrolled_to(
    browser: Browser, tmp_path: Path
) -> None:
    rows = [row(f"{n:04}.jpg", DONT_KNOW, 0.2 + n / 10000, "unsure") for n in range(5000)]
    for page in opened(browser, saved_page(tmp_path, rows)):
        first = len(files_of(page))
        assert 0 < first < 500
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        until(page, f"document.querySelectorAll('.card').length > {first}")
        assert len(files_of(page)) < 1000
        page.fill("#find", "4999")
        assert files_of(page) == ["4999.jpg"]
        page.fill("#find", "")
        page.select_option("#order", "species")
        page.click("text=All 5000 are right")
        assert len(saved(page, tmp_path)) == 5000
        page.reload()
        assert page.inner_text("#progress").startswith("5,000 of 5,000 checked")


def test_it_is_accessible_in_light_and_dark(browser: Browser, night: Path) -> None:
    for scheme in ("light", "dark"):
        for page in opened(browser, night, color_scheme=scheme):
            unfold(page)
            page.locator("[data-card='1'] >> text=Unknown").click()
            assert problems(page) == []
            page.locator("[data-card='3'] .picture").click()
            assert problems(page) == []


def test_printed_it_has_all_photographs_and_no_controls(browser: Browser, tmp_path: Path) -> None:
    rows = [row(f"{n}.jpg", DONT_KNOW, 0.4, "unsure") for n in range(300)]
    for page in opened(browser, saved_page(tmp_path, rows)):
        assert len(files_of(page)) < 300
        page.pdf(path=tmp_path / "names.pdf")
        assert len(files_of(page)) == 300
        page.emulate_media(media="print")
        assert not page.is_visible(".tools") and not page.is_visible(".acts >> nth=0")
