"""What the report says of data that are long-tailed by nature, and of unknown classes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from longtail.evaluation.trainings import TRIAL_COLUMNS
from longtail.reporting.figures.confusion import best_tail_method
from longtail.reporting.page.unknown_section import (
    NOVELTY_HEADINGS,
    novelty_rows,
    write_unknown_section,
)
from longtail.reporting.tables.appendix import write_introduction
from longtail.reporting.tables.layouts import ACC1_LAYOUT, GROUPS_LAYOUT, QUALITY_LAYOUT
from longtail.reporting.tables.result_tables import interval_table, thesis_table
from longtail.reporting.tables.table_results import TableResults
from tests.reporting.page.support import make_page
from tests.reporting.rows import (
    ALL_TEST_SETS,
    STATISTICS,
    make_comparisons,
    make_contents,
    make_results,
    make_summaries,
    make_table,
)

PROFILE = pd.DataFrame(
    {
        "class_name": list("abcd"),
        "group": ["head", "middle", "tail", "tail"],
        "train_balanced": [2] * 4,
        "train_long_tailed": [60, 15, 4, 2],
        "test_balanced": [1] * 4,
        "test_long_tailed": [20, 5, 2, 1],
        "train_natural": [60, 20, 8, 2],
        "test_natural": [20, 6, 3, 1],
    }
)
NOVELTY = pd.DataFrame(
    {
        "dataset": "toy",
        "train_set": "natural",
        "backbone": "vit",
        "method": "ldam",
        "seed": 3,
        "fingerprint": "f",
        "score": ["max_probability", "energy"],
        "known_images": 1200,
        "unknown_images": 60,
        "auroc": [0.75, 1.0],
        "auroc_low": [0.7, float("nan")],
        "auroc_high": [0.8, float("nan")],
        "false_alarms": [0.5, 0.0],
        "false_alarms_low": [0.4, float("nan")],
        "false_alarms_high": [0.6125, float("nan")],
    }
)
NATURAL_SETS = ("natural", *ALL_TEST_SETS)


def unknown_section(
    novelty: pd.DataFrame,
    known: Sequence[str] = ("Acherontia atropos", "Autographa gamma"),
    unknown: Sequence[str] = ("a",),
) -> str:
    """The section on a report whose best trials are all of these."""
    trials = novelty[novelty["score"] == "energy"][[*TRIAL_COLUMNS]]
    table = make_table("ldam", backbone="vit", backbone_label="ViT", train_set="natural")
    return write_unknown_section(
        novelty,
        trials.assign(test_set="validation", balanced_accuracy=0.5),
        pd.DataFrame({"label": -1, "class_name": list(unknown)}),
        pd.DataFrame({"class_name": list(known)}),
        make_contents(table),
    )


def lead(section: str) -> list[str]:
    """The sentences on the trainings, below the one on how many classes are unknown."""
    return re.findall(r"^<p>(.*)</p>$", section, re.MULTILINE)[1:]


def test_the_natural_test_set_comes_before_the_balanced_one() -> None:
    assert [c.test_set for c in ACC1_LAYOUT.of(NATURAL_SETS).columns] == [
        "natural", "balanced", "long_tailed", "head", "middle", "tail"
    ]  # fmt: skip
    assert [heading for heading, _ in QUALITY_LAYOUT.of(NATURAL_SETS).headings] == [
        "Natural test set",
        "Balanced test set",
    ]
    assert GROUPS_LAYOUT.of({*NATURAL_SETS, "without_duplicates"}) == GROUPS_LAYOUT
    assert GROUPS_LAYOUT.of(NATURAL_SETS).columns == GROUPS_LAYOUT.columns[:-1]
    assert ACC1_LAYOUT.of(ALL_TEST_SETS) == ACC1_LAYOUT


def test_tables_with_intervals_show_it_and_the_thesis_layout_keeps_its_columns() -> None:
    trials = (("softmax", 0, 0.5), ("ldam", 0, 0.75))
    results = make_results(*trials, test_sets=NATURAL_SETS, train_set="natural")
    summaries = make_summaries(*trials, test_sets=NATURAL_SETS, train_set="natural")
    comparisons = make_comparisons(test_sets=NATURAL_SETS)
    table = make_table("softmax", "ldam", train_set="natural")
    content = TableResults.of(summaries, comparisons, results, table, STATISTICS)
    printed = interval_table(content, ACC1_LAYOUT)
    assert [heading for heading, _ in printed.layout.headings][:2] == ["Natural", "Balanced"]
    assert [len(cells) for _, cells in printed.rows] == [6, 6]
    assert "trained on the natural dataset" in printed.caption
    assert thesis_table(summaries, table, ACC1_LAYOUT).layout == ACC1_LAYOUT


def test_introduction_says_what_natural_test_sets_are() -> None:
    tables = (make_table(train_set=train_set) for train_set in ("natural", "long_tailed"))
    contents = make_contents(*tables, label="Moths", grouped_by="natural")
    text = write_introduction(PROFILE, contents)
    assert text.startswith(
        "Moths: 4 classes; training images: natural 90 (60 to 2 per class), long-tailed 81 (60 to "
        "2 per class); test images: natural 30, balanced 4, long-tailed 28, head 20, middle 6, "
        "tail 4. The data are long-tailed by nature: head, middle and tail are defined by the "
        "natural training images, and are parts of all test images."
    )
    assert "One image of the tail test set is worth 25.0 points" in text


def test_page_shows_natural_numbers_and_unknown_classes() -> None:
    rows = novelty_rows(NOVELTY, {"vit": "ViT"}, {"ldam": "LDAM"})
    assert [len(row) for row in rows] == [len(NOVELTY_HEADINGS)] * 2
    assert rows[0] == [
        *("ViT", "natural", "LDAM", "3", "largest probability", "1,200", "60"),
        *("0.750", "[0.700, 0.800]", "0.500", "[0.400, 0.613]"),
    ]
    assert rows[1][-4:] == ["1.000", "--", "0.000", "--"]
    section = unknown_section(NOVELTY, unknown=["noctua_fimbriata", "noctua_pronuba"])
    html = make_page(
        profile=PROFILE.assign(
            class_name=["noctua comes", "noctua fimbriata", "noctua janthe", "noctua pronuba"]
        ),
        unknown=section,
        grouped_by="natural",
    )
    assert "long-tailed 81, natural 90." in html
    assert "Test images: natural 30, balanced 4" in html
    assert "<tr><td>tail</td><td>2</td><td>10</td><td>2 to 8</td><td>4</td></tr>" in html
    assert "use the balanced test images" not in html
    text = " ".join(re.sub(r"<[^>]*>", " ", html).split())
    assert "2 species were held out of all training, to measure whether a model detects" in text
    assert lead(section)[0] in text
    assert "The 2 species Noctua fimbriata , Noctua pronuba All trials and scores" in text
    assert "<td>largest probability</td><td>1,200</td><td>60</td><td>0.750</td>" in html
    without = make_page(profile=PROFILE)
    assert "Unknown classes" not in without


def test_what_is_known_of_unknown_species_is_said_in_plain_words_once_a_training() -> None:
    both = pd.concat([NOVELTY.assign(auroc=0.684, false_alarms=0.726)] * 2, ignore_index=True)
    both["train_set"] = ["natural"] * 2 + ["long_tailed"] * 2
    (sentence,) = lead(unknown_section(both))
    assert sentence == (
        "Trained natural and long-tailed (ViT, LDAM, seed 3; by the energy): with the threshold "
        "at which 95 of 100 photographs of known species are named, of 100 photographs of the "
        "unknown species 73 are named too, always wrongly (the false alarms below). Of a known "
        "and an unknown photograph, the known one has the higher score in 68 of 100 pairs (the "
        "AUROC below; 50 by guessing)."
    )
    ends = {"auroc_low": 0.64, "auroc_high": 0.72}
    ends |= {"false_alarms_low": 0.66, "false_alarms_high": 0.8}
    (sentence,) = lead(unknown_section(both.assign(**ends)))
    assert "of the unknown species 73 (interval 66 to 80) are named too" in sentence
    assert "the higher score in 68 (interval 64 to 72) of 100 pairs" in sentence
    others = both.assign(fingerprint=["f", "f", "g", "g"])
    apart = lead(unknown_section(others, known=["a", "b"]))
    assert [text.partition(" (")[0] for text in apart] == [
        "Trained natural",
        "Trained long-tailed",
    ]
    assert "photographs of known classes" in apart[0]


def test_groups_that_are_alike_are_reported_in_place_of_the_thirds() -> None:
    html = make_page(profile=PROFILE, grouped_by="natural")
    assert "nearly equal" not in html
    balanced = PROFILE.assign(train_natural=6)
    html = make_page(profile=balanced, grouped_by="natural")
    said = "Head, middle and tail have nearly equal numbers of natural training images"
    assert html.count(said) == 1
    assert "<div>Head, middle and tail" not in html  # classes of equal size have none
    assert "One image of the tail test set" not in html
    contents = make_contents(make_table(train_set="natural"), grouped_by="natural")
    assert said in write_introduction(balanced, contents)
    assert said not in write_introduction(PROFILE, contents)


def test_the_best_tail_method_of_natural_data_is_by_all_tail_images() -> None:
    scores = pd.DataFrame(
        {
            "test_set": ["tail", "tail", "balanced_tail", "balanced_tail"],
            "method": ["a", "b"] * 2,
            "metric": "acc1",
            "value": [0.6, 0.5, 0.1, 0.9],
        }
    )
    assert best_tail_method(scores, "natural") == "a"
    assert best_tail_method(scores) == "b"
