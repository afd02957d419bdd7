from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

import pandas as pd
import pytest

from longtail.evaluation.trainings import TRIAL_COLUMNS
from longtail.reporting.page.summary_section import (
    SUMMARY_PAIRS,
    show_summary_figures,
    write_summary_section,
)
from longtail.reporting.tables.leaders import LEADER_COLUMNS
from tests.reporting.rows import make_contents, make_table

KEY = {"dataset": "toy", "train_set": "long_tailed", "backbone": "mobilenetv2",
       "method": "softmax", "seed": 0}  # fmt: skip
BINOMIALS = "Noctua pronuba", "Xestia c-nigrum", "Idaea sp."
RECALLS = 1.0, 0.5, 0.0
RESULTS = pd.DataFrame([KEY | {"test_set": "validation", "balanced_accuracy": 0.7}])
NOVELTY = pd.DataFrame([KEY | {"score": "energy", "false_alarms": 0.31}])
PAIRS = pd.DataFrame(
    [
        KEY | {"true": true, "predicted": predicted, "images": images, "test_images": 4,
               "both_ways": both}
        for true, predicted, images, both in (
            ("Idaea sp.", "Noctua pronuba", 3, 4),
            ("Idaea sp.", "Xestia c-nigrum", 2, 2),
            ("Noctua pronuba", "Idaea sp.", 1, 4),
        )
    ]
)  # fmt: skip


def species(names: tuple[str, ...] = BINOMIALS) -> pd.DataFrame:
    rows = [
        KEY | {"species": name, "recall": recall, "test_images": 4, "test_set": "natural"}
        for name, recall in zip(names, RECALLS, strict=True)
    ]
    return pd.DataFrame(rows)


def leaders(**places: str) -> pd.DataFrame:
    """Methods of both backbones with their places: ``<backbone>_<method>=<place>``."""
    rows = []
    for key, place in places.items():
        backbone, method = key.split("_")
        usual = {"dataset": "toy", "backbone": backbone, "train_set": "long_tailed"}
        p = float("nan") if place == "best" else 0.1
        figures = {"value": 0.5, "low": 0.4, "high": 0.6, "p": p, "place": place}
        for part, test_set in (("tail", "balanced_tail"), ("overall", "balanced")):
            own = {"part": part, "test_set": test_set, "images": 50, "method": method}
            rows.append({**usual, **own, **figures})
    return pd.DataFrame(rows, columns=list(LEADER_COLUMNS))


def section(found: pd.DataFrame, **changes: Any) -> str:
    tables = (
        make_table("softmax", "ldam", train_set="long_tailed"),
        make_table("softmax", "ldam", train_set="long_tailed", backbone="vit", number=3,
                   backbone_label="V<i>T"),
    )  # fmt: skip
    values: dict[str, Any] = {
        "leaders": found,
        "summary_figures": "<figure>of all backbones</figure>",
        "results": RESULTS,
        "species": species(),
        "confused_pairs": PAIRS,
        "contents": make_contents(*tables),
    }
    return write_summary_section(**{**values, **changes})


FOUND = leaders(
    mobilenetv2_softmax="best", mobilenetv2_ldam="worse",
    vit_softmax="not significantly worse", vit_ldam="best",
)  # fmt: skip


def test_the_methods_that_lead_for_most_backbones_are_named() -> None:
    text = section(FOUND)
    assert (
        "For the tail, SOFTMAX is best, or not significantly worse than the best, for 2 of 2 "
        "backbones. Best beyond noise: SOFTMAX for MobileNetV2." in text
    )
    assert "<th>For the tail (50 images of the balanced test set)</th>" in text
    assert "SOFTMAX is best, beyond noise: 0.500 [0.400, 0.600]." in text
    assert '<p class="note">One seed does not show how much trainings vary' in text
    assert "V&lt;i&gt;T" in text and "V<i>T" not in text


@pytest.mark.parametrize(("seeds", "said"), [((0, 1), True), ((0, 1, 2), False)])
def test_two_seeds_are_noted_and_three_are_not(seeds: tuple[int, ...], said: bool) -> None:
    table = make_table("softmax", "ldam", train_set="long_tailed", seeds=seeds)
    text = section(FOUND[FOUND["backbone"] == "mobilenetv2"], contents=make_contents(table))
    assert ("Two seeds hardly show how much trainings vary" in text) == said
    assert "One seed" not in text


def test_a_label_is_written_as_it_is_where_it_begins_a_sentence() -> None:
    table = make_table("softmax", "ldam", train_set="long_tailed")
    labels = {"softmax": "cRT", "ldam": "sLDAM"}
    contents = make_contents(table.model_copy(update={"methods": labels}))
    only = FOUND[FOUND["backbone"] == "mobilenetv2"]
    assert "cRT is best, beyond noise" in section(only, contents=contents)
    alike = only.assign(place=["best"] * 2 + ["not significantly worse"] * 2)
    assert "No method is best beyond noise: cRT reaches" in section(alike, contents=contents)


def figures(found: pd.DataFrame, **families: Any) -> str:
    table = make_table("softmax", "ldam", train_set="long_tailed", families=families)
    return show_summary_figures(b"overview", b"tail", found, make_contents(table))


def test_figures_are_in_the_section() -> None:
    assert "<figure>of all backbones</figure>" in section(FOUND)


def test_tail_against_head_is_open_for_several_families_and_absent_without_a_tail() -> None:
    encoded = b64encode(b"tail").decode()
    assert "<details><summary>Tail against head" in figures(FOUND)
    several = figures(FOUND, ldam="class-sensitive-learning", softmax="re-sampling")
    assert "<details open><summary>Tail against head" in several
    assert encoded in several
    assert encoded not in figures(FOUND[FOUND["part"] == "overall"])


def test_the_model_of_the_natural_set_is_judged_if_there_is_one() -> None:
    sets = ("long_tailed", "natural")
    both = [RESULTS.assign(train_set=name) for name in sets]
    of_species = [species().assign(train_set=name) for name in sets]
    of_species[1]["recall"] = 1.0
    found = section(FOUND, results=pd.concat(both), species=pd.concat(of_species))
    text = " ".join(found.split())
    assert "100% of the images are named correctly" in text
    assert "trained on the natural set" in text


def test_a_model_is_judged_in_words() -> None:
    text = " ".join(section(FOUND, novelty=NOVELTY).split())
    assert "<b>50% of the images are named correctly</b> (6 of 12 of the natural test set)" in text
    assert (
        "MobileNetV2, SOFTMAX, trained on the long-tailed set (best on the validation images)"
        in text
    )
    assert "All test images of 1 species are recognised. No test image of" in text
    plain = " ".join(re.sub("<[^>]*>", "", text).split())
    assert (
        "Of 4 images of Idaea sp., 3 were called Noctua pronuba; of 4 of Noctua pronuba, 1 was "
        "called Idaea sp.. Of 4 images of Idaea sp., 2 were called Xestia c-nigrum; of 4 of Xestia "
        "c-nigrum, none was called Idaea sp.. 0 of the 2 most confused pairs of species are of one "
        "genus." in plain
    )
    assert "that it has never seen, 31% are named all the same" in text


def test_pairs_of_one_genus_are_marked_and_few_are_listed() -> None:
    count = SUMMARY_PAIRS + 1
    renamed = (*BINOMIALS[:2], "Noctua comes")
    same = PAIRS.iloc[:1].assign(true="Noctua comes")
    others = [PAIRS.iloc[1:2].assign(true=f"Idaea sp{place}") for place in range(count)]
    text = " ".join(
        section(FOUND, species=species(renamed), confused_pairs=pd.concat([same, *others])).split()
    )
    assert "called <bdi><i>Noctua comes</i></bdi> (one genus).</li>" in text
    assert f"1 of the {count + 1} most confused pairs of species is of one genus." in text
    assert text.count("<li>") == SUMMARY_PAIRS
    digits = section(FOUND, species=species(("a", "b", "Noctua pronuba")),
                     confused_pairs=PAIRS.iloc[:1].assign(true="a"))  # fmt: skip
    assert "most confused pairs of" not in digits
    assert "genus" not in digits


def test_what_was_not_measured_is_said() -> None:
    text = " ".join(section(FOUND, confused_pairs=PAIRS.iloc[:0]).split())
    assert "Whether images of unknown species are detected was not measured" in text
    assert "No two species are confused." in text


def test_species_come_before_methods_and_methods_before_classes() -> None:
    none = PAIRS.iloc[:0]
    binomial, other = (
        section(FOUND),
        section(FOUND, species=species(("a", "b", "c")), confused_pairs=none),
    )
    assert binomial.index('id="recognised"') < binomial.index('id="best"')
    assert other.index('id="best"') < other.index('id="recognised"')


@pytest.mark.parametrize("missing", [RESULTS.iloc[:0], RESULTS.assign(train_set="balanced")])
def test_without_a_trial_on_the_judged_training_set_nothing_is_said(missing: pd.DataFrame) -> None:
    assert set(TRIAL_COLUMNS) <= set(RESULTS.columns)
    assert 'id="recognised"' not in section(FOUND, results=missing)
