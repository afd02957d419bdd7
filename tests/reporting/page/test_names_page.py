"""The page on which names are reviewed, as a document."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from longtail.naming.answers_table import DONT_KNOW, LOOKS_UNKNOWN
from longtail.reporting.page.names_page import most_doubtful, names_page
from tests.reporting.page.names_table import NEVER, SHEET, broken, row

HOSTILE = "</script><img src=x onerror=alert(1)>.jpg"


@pytest.fixture
def names() -> pd.DataFrame:
    rows = [
        row(HOSTILE, "noctua_comes", 0.9, rank="species"),
        row("b.jpg", DONT_KNOW, 0.4, "species 0.400, needs 0.800"),
        row("c.jpg", DONT_KNOW, 0.3, LOOKS_UNKNOWN),
        row("d.jpg", "noctua", 0.95, "no species is sure", rank="genus") | {"probability": 0.5},
        broken(HOSTILE),
    ]
    return pd.DataFrame(rows)


def page_of(
    names: pd.DataFrame,
    limit: int = 100,
    sheet: dict[str, Any] = SHEET,
    learnt: str = "photograph",
) -> str:
    chosen = most_doubtful(names, limit)
    originals = {file: (Path("/night 1"), file) for file in chosen["file"]}
    pictures = dict.fromkeys(chosen["file"], "QUJD")
    return names_page("Moths & co", names, chosen, pictures, originals, sheet, learnt)


def data_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_photographs_that_are_not_new_are_reported(names: pd.DataFrame) -> None:
    assert "has seen some" not in page_of(names)
    names["already_in"] = ["train", "test", "", "unknown", ""]
    page = page_of(names)
    assert (
        "The network has seen some of these photographs before: of 5, 1 is in its training set "
        "and 2 are among those that validated or tested it (already_in in "
        "names.csv). They do not show"
    ) in page
    assert [card["already_in"] for card in data_of(page)["cards"]] == [
        "train",
        "test",
        "",
        "unknown",
    ]


def test_two_sentences_say_what_was_tested_and_what_trusted_means(names: pd.DataFrame) -> None:
    page = page_of(names)
    assert (
        "The model was tested on 9 photographs that it had not learned from: it was sure of "
        "4 names, and 1 of these was wrong. “Trusted” means sure enough that at most about 5% of "
        "all trusted names should be wrong; any single one can be, so look at those that matter "
        "to you."
    ) in page
    untrusted = SHEET | {"trusted_on_test": {"images": 9, "trusted": 0, "wrong": 0, "note": ""}}
    assert "it was sure of none of their names." in page_of(names, sheet=untrusted)


def test_a_model_of_animals_in_boxes_was_tested_on_animals(names: pd.DataFrame) -> None:
    page = page_of(names, learnt="animal")
    assert "The model was tested on 9 animals that it had not learned from" in page
    records = data_of(page)["records"].values()
    assert records and all("training animal" in record for record in records)
    assert not any("photograph" in record for record in records)


def test_the_first_sentence_counts_files_or_with_boxes_rows(names: pd.DataFrame) -> None:
    counts = "2 named and trusted, 2 “don't know”, 1 that cannot be"
    assert f"<p>5 files: {counts} read.\n" in page_of(names)
    boxes = names.assign(frame="sheet.jpg")
    boxes.loc[5] = boxes.loc[1].to_dict() | {"file": "e.jpg", "answer": "no animal"}
    assert f"<p>6 rows: {counts} read, 1 without an animal.\n" in page_of(boxes)


def test_no_text_of_the_user_becomes_html(names: pd.DataFrame) -> None:
    names["species_2"] = "<script>alert(2)</script>"
    page = page_of(names)
    assert "<img src=x" not in page and "alert(2)</script>" not in page
    assert page.count("<h1>Moths &amp; co") == 1
    assert data_of(page)["cards"][0]["file"] == HOSTILE


def test_a_card_has_what_corrections_need(names: pd.DataFrame) -> None:
    data = data_of(page_of(names))
    trusted, unsure, _, genus = data["cards"]
    assert (trusted["trusted"], trusted["answer"], trusted["probability"]) == (
        True,
        "noctua_comes",
        0.9,
    )
    assert trusted["guesses"] == [["noctua_comes", 0.9], ["xestia_baja", 0.1]]
    assert trusted["sha256"] == f"hash of {HOSTILE}"
    assert (unsure["trusted"], unsure["folder"], unsure["box"]) == (False, "/night 1", "")
    assert unsure["uri"] == "file:///night%201/b.jpg"
    assert (genus["answer"], genus["rank"], genus["probability"]) == ("noctua", "genus", 0.95)
    assert data["higher"] == ["noctua"] and data["species"] == SHEET["class_names"]


def test_boxes_and_nights_are_on_the_cards_if_the_table_has_them(names: pd.DataFrame) -> None:
    names["box"], names["night"] = "1,2,3,4", "2026-06-01"
    card = data_of(page_of(names))["cards"][0]
    assert (card["box"], card["night"], card["deployment"]) == ("1,2,3,4", "2026-06-01", "")


def test_photographs_in_a_zip_file_have_no_address_of_their_own(
    names: pd.DataFrame, tmp_path: Path
) -> None:
    archive = tmp_path / "night.zip"
    archive.write_bytes(b"")
    chosen = most_doubtful(names, 100)
    originals = {file: (archive, file) for file in chosen["file"]}
    card = data_of(names_page("Moths", names, chosen, {}, originals, SHEET))["cards"][0]
    assert (card["folder"], card["uri"]) == (str(archive), "")


def test_where_nothing_is_trusted_the_page_says_why(names: pd.DataFrame) -> None:
    sheet = SHEET | {"thresholds": {"species": NEVER}}
    page = page_of(names[names["trust"] == "no"], sheet=sheet)
    assert '<p class="warning">No name is trusted. No share has at most 5% wrong.</p>' in page


def test_a_limited_page_has_the_most_doubtful(names: pd.DataFrame) -> None:
    assert most_doubtful(names, 100)["file"].tolist() == [HOSTILE, "b.jpg", "c.jpg", "d.jpg"]
    assert most_doubtful(names, 1)["file"].tolist() == ["c.jpg"]
    assert most_doubtful(names, 3)["file"].tolist() == [HOSTILE, "b.jpg", "c.jpg"]
    assert "The page has the 2 most doubtful of 4 photographs; all are in" in page_of(names, 2)


def test_choices_are_kept_apart_by_the_table(names: pd.DataFrame) -> None:
    key = data_of(page_of(names))["key"]
    assert data_of(page_of(names, 2))["key"] == key
    names.loc[0, "answer_probability"] = 0.91
    assert data_of(page_of(names))["key"] != key


def test_pictures_are_inert_until_they_are_shown(names: pd.DataFrame) -> None:
    page = page_of(names)
    assert page.count('<script type="text/plain" id="picture') == 4
    assert 'src="data:' not in page.partition("<script>")[0]
    assert "http://" not in page and "https://" not in page
