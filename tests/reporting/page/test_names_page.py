"""The page of named photographs."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from longtail.naming.answers_table import DONT_KNOW, LOOKS_UNKNOWN
from longtail.reporting.page.names_page import names_page, select_photographs

RECORD = {"precision": 0.5, "precision_low": 0.1, "precision_high": 0.9, "train_images": 6}
NEVER = {"threshold": None, "note": "no share has at most 5% wrong"}
SHEET: dict[str, Any] = {
    "name": "moths.natural.small.softmax.seed0",
    "class_names": ["noctua_comes", "xestia_baja"],
    "prior_is": "all species are assumed to be equally common",
    "calibration": {"note": "calibrated"},
    "error_rate": 0.05,
    "thresholds": {"species": {"threshold": 0.8, "note": "9 are named"}, "genus": NEVER},
    "ladder": [
        {"error_rate": 0.05, "thresholds": {"species": 0.8, "genus": None}},
        {"error_rate": 0.1, "thresholds": {"species": 0.6, "genus": None}},
    ],
    "trusted_on_test": {"note": "of 9 test photographs 1 is named wrongly"},
    "unknown": {"note": "untested"},
    "test_set": "natural",
}


def row(
    file: str, answer: str, probability: float, why: str = "", rank: str = ""
) -> dict[str, Any]:
    named = {"answer": answer, "rank": rank, "trust": "yes" if rank else "no", "why": why}
    sure = {"answer_probability": probability if rank else float("nan")}
    species = {"species": "noctua_comes", "probability": probability}
    others: dict[str, Any] = {f"probability_{place}": float("nan") for place in range(2, 6)}
    others |= {"genus": "", "genus_probability": float("nan")}
    others |= {f"species_{place}": "" for place in range(2, 6)}
    return {
        "file": file,
        **named,
        **sure,
        **species,
        **others,
        **RECORD,
        "error": "",
        "already_in": "",
    }


def broken(file: str) -> dict[str, Any]:
    return {
        "file": file,
        "trust": "no",
        "rank": "",
        "why": "",
        "error": "it is empty",
        "already_in": "",
    }


@pytest.fixture
def names() -> pd.DataFrame:
    rows = [
        row("<b>.jpg", "noctua_comes", 0.9, rank="species"),
        row("b.jpg", DONT_KNOW, 0.4, "species 0.400, needs 0.800"),
        row("c.jpg", DONT_KNOW, 0.3, LOOKS_UNKNOWN),
        row("d.jpg", DONT_KNOW, 0.5, "species 0.500, needs 0.800"),
        broken("e.jpg"),
    ]
    return pd.DataFrame(rows)


def page_of(names: pd.DataFrame, limit: int = 100, sheet: dict[str, Any] = SHEET) -> str:
    chosen = select_photographs(names, limit)
    return names_page("Moths", names, chosen, dict.fromkeys(chosen["file"], "QUJD"), sheet)


def test_photographs_that_are_not_new_are_told(names: pd.DataFrame) -> None:
    assert "has seen some" not in page_of(names)
    names["already_in"] = ["train", "test", "", "unknown", ""]
    assert (
        "The network has seen some of these photographs before: of 5, 1 is in its training set "
        "and 2 are among those that validated or tested it (already_in in "
        "names.csv). They do not show"
    ) in page_of(names)


def test_trusted_names_stand_before_guesses_and_are_told_apart(names: pd.DataFrame) -> None:
    page = page_of(names)
    headings = [
        "Trusted: named by species",
        "<h3><bdi><i>Noctua comes</i></bdi></h3>",
        "Not trusted: don't know</h2>",
        "<h3>Not sure enough</h3>",
        "<h3>Looks like none of the known species</h3>",
        "Cannot be read</h2>",
    ]
    places = [page.index(heading) for heading in headings]
    assert places == sorted(places)
    assert page.count('<section class="untrusted">') == 2
    untrusted = page[places[2] : places[5]]
    assert [untrusted.count(file) > 0 for file in ("b.jpg", "c.jpg", "d.jpg")] == [True] * 3
    assert untrusted.index("d.jpg") < untrusted.index("b.jpg")  # the surer guess
    assert "&lt;b&gt;.jpg" in page and "<b>.jpg" not in page


def test_below_a_trusted_genus_species_are_guesses(names: pd.DataFrame) -> None:
    genus = row("g.jpg", "noctua", 0.9, "no species is sure", rank="genus")
    names = pd.concat([names, pd.DataFrame([genus | {"probability": 0.5}])])
    page = page_of(names)
    start = page.index("Trusted: named by genus</h2>")
    section = page[start : page.index("Not trusted: don't know</h2>")]
    assert "Only the genus is trusted: the species below these pictures are guesses." in section
    assert '<section class="untrusted">' in section
    answer = '<div class="guess answer"><span class="name">Noctua</span><span class="share">90%'
    assert section.index(answer) < section.index("<i>Noctua comes</i>")


def test_where_nothing_is_trusted_the_page_says_why(names: pd.DataFrame) -> None:
    sheet = SHEET | {"thresholds": {"species": NEVER}}
    page = page_of(names[names["trust"] == "no"], sheet=sheet)
    assert '<p class="warning">No name is trusted. No share has at most 5% wrong.</p>' in page
    assert "Trusted: named by" not in page


def test_of_each_kind_of_answer_one_is_shown_at_least(names: pd.DataFrame) -> None:
    assert select_photographs(names, 100)["file"].tolist() == ["<b>.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert set(select_photographs(names, 1)["file"]) == {"<b>.jpg", "d.jpg", "c.jpg"}
    page = page_of(names, 1)
    assert "The page shows 3 of 4 photographs; all are in names.csv." in page
    assert "2 photographs, the 1 surest shown" in page
