from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, chi2, chi2_contingency

from longtail.arrays import Int64Array
from longtail.evaluation.metrics import Answers, Tally, weighted_f1
from longtail.imbalance.profiles import profile_counts
from longtail.parameters import ExponentialProfile
from longtail.published.audit import CHECKS, audit
from longtail.published.audit.accuracies import smallest_denominator
from longtail.published.audit.differences import LEVEL, MCNEMAR_MIN_IMAGES
from longtail.published.audit.loss_column import LDAM_MARGIN, LDAM_SCALE
from longtail.published.results import shipped, validated

BACKBONES = ["mobilenetv2", "resnet50v2", "vit_b16", "convnext_base"]


@pytest.fixture(scope="module")
def thesis() -> pd.DataFrame:
    return shipped("thesis")


@pytest.fixture(scope="module")
def findings(thesis: pd.DataFrame) -> pd.DataFrame:
    return audit(thesis)


def changed(table: pd.DataFrame, value: float, /, **names: str) -> pd.DataFrame:
    """The table with the named cells changed."""
    chosen = (table[list(names)] == pd.Series(names)).all(axis=1)
    assert chosen.any()
    return table.assign(value=table["value"].mask(chosen, value))


def of(findings: pd.DataFrame, check: str, **names: Any) -> list[str]:
    """The sentences of a check's findings about what is named."""
    chosen = findings[findings["check"] == check]
    for column, name in names.items():
        chosen = chosen[chosen[column] == name]
    return chosen["finding"].tolist()


def problems(findings: pd.DataFrame, check: str) -> list[tuple[str, str]]:
    """The table and method of a check's problems."""
    chosen = findings[(findings["check"] == check) & ~findings["holds"]]
    return list(zip(chosen["table"], chosen["method"], strict=True))


# --- what the thesis' tables hold ------------------------------------------------------------


def test_problems_of_the_thesis_are_found_and_no_others(findings: pd.DataFrame) -> None:
    found = {check: problems(findings, check) for check in CHECKS}
    assert found == {
        "missing_cells": [("A.14", "ldam"), ("A.16", "ldam")],
        "copied_rows": [("A.12", "ldam")],
        "equal_rows": [],
        "whole_hits": [],
        "smallest_denominators": [],
        "parts_add_up": [],
        "f1_is_weighted": [],
        "losses_add_up": [
            ("", "equalization"),
            ("", "weighted_softmax"),
            ("", "class_balanced"),
            ("", "equalization"),
            ("", "ldam"),
        ],
        "spared_negatives": [],
        "unnormalised_logits": [(table, "ldam") for table in ("A.4", "A.8", "A.10")],
        "collapses": [(table, "class_balanced") for table in ("A.4", "A.8", "A.12", "A.16")],
        "run_noise": [],
        # Head, middle and tail over all tables, then each table's tail.
        "undecided_pairs": [("", "")] * 3 + [(f"A.{n}", "") for n in range(2, 16, 2)],
    }


def test_hits_of_the_parts_are_those_of_the_whole_in_all_rows_but_the_copy(
    findings: pd.DataFrame,
) -> None:
    (finding,) = of(findings, "parts_add_up")
    assert finding.startswith("In 53 of 53 rows the hits on head, middle and tail (844, 169, 38")
    (finding,) = of(findings, "whole_hits")
    assert finding.startswith("265 of 265 accuracies are whole numbers of hits")
    assert set(findings.loc[findings["table"] == "A.12", "method"]) >= {"ldam", "class_balanced"}
    of_copy = findings[(findings["table"] == "A.12") & (findings["method"] == "ldam")]
    assert of_copy["check"].tolist() == ["copied_rows"]


def test_sizes_of_the_test_sets_are_found_from_the_accuracies(thesis: pd.DataFrame) -> None:
    accuracies = thesis[(thesis["metric"] == "acc1") & thesis["value"].notna()]
    found = {
        test_set: smallest_denominator(cells["value"], 10_000, 4)
        for test_set, cells in accuracies.groupby("test_set")
    }
    assert found == {"balanced": 5000, "long_tailed": 1051, "head": 844, "middle": 169, "tail": 38}


def test_equal_rows_of_the_thesis_are_those_of_equal_losses(findings: pd.DataFrame) -> None:
    sentences = of(findings, "equal_rows", train_set="balanced")
    assert len(sentences) == 4
    for sentence in sentences:
        assert sentence.startswith(
            "softmax, weighted softmax, and class-balanced agree in all 15 values, as they must"
        )


def test_run_noise_is_that_of_balanced_softmax(findings: pd.DataFrame) -> None:
    balanced = of(findings, "run_noise")[0]
    assert (
        "differ by +0.56 (mobilenetv2), -0.14 (resnet50v2), +0.08 (vit_b16), and +0.32 "
        "(convnext_base) points" in balanced
    )
    squares = np.sum(np.square([0.56, -0.14, 0.08, 0.32])) / 2
    low, high = np.sqrt(squares / chi2.ppf([0.975, 0.025], 4))
    assert (
        f"a standard deviation of about {np.sqrt(squares / 4):.2f} points (95 % interval {low:.2f} "
        f"to {high:.2f}, from 4 pairs of trainings)" in balanced
    )


def test_losses_of_unweighted_criteria_are_means_over_images(findings: pd.DataFrame) -> None:
    sentences = of(findings, "losses_add_up")
    assert sentences[0].startswith("In 35 of 53 rows")
    (weighted,) = of(findings, "losses_add_up", method="weighted_softmax")
    assert "by -1 % (mobilenetv2), -2.9 % (resnet50v2), -1 % (vit_b16), and -2.3 %" in weighted
    assert "class weights are why" in weighted
    for sentence in of(findings, "losses_add_up", method="equalization"):
        assert "in 4 of 4 rows" in sentence
        assert "Class weights cannot be why, since this loss has none." in sentence
    (ldam,) = of(findings, "losses_add_up", method="ldam")
    assert "in 2 of 2 rows" in ldam
    assert ldam.endswith(
        "Class weights cannot be why, since this loss has none. A loss that draws random numbers "
        "when evaluated, or depends on the batch, can be why."
    )


def test_spared_negatives_are_bounded_by_the_losses(findings: pd.DataFrame) -> None:
    """1 - 0.9992 / 1.1455 and so on."""
    (sentence,) = of(findings, "spared_negatives")
    assert "at least 13 % (mobilenetv2), 10 % (resnet50v2), 8 % (vit_b16), and 8 %" in sentence
    assert "equalization_unconditional" in sentence


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_spared_negatives_leave_at_least_their_share_of_the_loss(probability: float) -> None:
    """The bound, on random logits of any scale."""
    numbers = np.random.default_rng(0)
    for scale in (0.1, 1.0, 10.0):
        leads = np.exp(scale * numbers.normal(size=(200, 1, 9)))  # of each negative
        kept = numbers.random((200, 500, 9)) >= probability
        spared, whole = np.log1p((leads * kept).sum(2)).mean(), np.log1p(leads.sum(2)).mean()
        assert (1 - probability) * whole * 0.98 <= spared < whole


def test_small_differences_on_the_tail_are_counted(
    thesis: pd.DataFrame, findings: pd.DataFrame
) -> None:
    cells = thesis[(thesis["table"] == "A.8") & (thesis["metric"] == "acc1")]
    hits = (cells.loc[cells["test_set"] == "tail", "value"] * 38).round().astype(int).tolist()
    p = [
        chi2_contingency([[a, 38 - a], [b, 38 - b]], correction=False).pvalue
        for i, a in enumerate(hits)
        for b in hits[i + 1 :]
    ]
    assert of(findings, "undecided_pairs", table="A.8") == [
        f"{sum(np.array(p) >= LEVEL)} of 21 differences between two methods on the tail are not "
        f"significant."
    ]
    (tail,) = [f for f in of(findings, "undecided_pairs", table="") if "38 images" in f]
    assert "90 of 108 differences" in tail
    assert "In 83 the two differ by fewer than 6 images (16 points)" in tail


def test_fewest_images_are_those_of_mcnemars_test() -> None:
    def best_p(images: int) -> float:
        return float(binomtest(images, images, 0.5).pvalue)

    assert best_p(MCNEMAR_MIN_IMAGES) < LEVEL <= best_p(MCNEMAR_MIN_IMAGES - 1)


def test_checks_come_in_their_order(findings: pd.DataFrame) -> None:
    assert list(findings["check"].unique()) == list(CHECKS)


# --- a change of one cell is found -----------------------------------------------------------

SOFTMAX = {"table": "A.4", "method": "softmax"}


def test_accuracy_between_two_hits_is_named(thesis: pd.DataFrame) -> None:
    found = audit(changed(thesis, 0.5283, **SOFTMAX, test_set="balanced", metric="acc1"))
    assert problems(found, "whole_hits") == [("A.4", "softmax"), ("", "")]
    assert of(found, "whole_hits")[0].startswith(
        "Acc1 0.5283 on the balanced test set is 2641.50 hits of 5,000 images"
    )
    assert of(found, "smallest_denominators")[0] == (
        "The 53 accuracies on the balanced test set are no multiples of 1/5,000; it is stated to "
        "have 5,000 images."
    )


def test_one_hit_more_on_a_part_is_named(thesis: pd.DataFrame) -> None:
    found = audit(changed(thesis, 0.2632, **SOFTMAX, test_set="tail", metric="acc1"))
    assert problems(found, "parts_add_up") == [("A.4", "softmax"), ("", "")]
    assert of(found, "parts_add_up") == [
        "Head, middle and tail have 814 hits of 1,051 images, but the long-tailed test set has "
        "813 of 1,051.",
        "In 52 of 53 rows the hits on head, middle and tail (844, 169, 38 images) add up to those "
        "on the long-tailed test set.",
    ]


def test_wrong_number_of_images_is_found(thesis: pd.DataFrame) -> None:
    twice = thesis["images"].where(thesis["test_set"] != "tail", 76)
    found = audit(thesis.assign(images=twice))
    (finding,) = [f for f in of(found, "smallest_denominators", holds=False)]
    assert finding.endswith("multiples of 1/38 already; it is stated to have 76 images.")
    assert len(of(found, "parts_add_up", holds=False)) == 53 + 1


@pytest.mark.parametrize(
    ("hits", "alarm"),
    [
        ([192, 300, 200], False),  # a quarter of all accuracies on 500 images are such multiples
        ([192, 300, 200, 200, 200, 200], False),  # copies are no further evidence
        ([4, 8, 12, 192, 300, 200], True),  # (126 / 501) ** 6 is less than a thousandth
    ],
)
def test_few_accuracies_may_be_multiples_of_a_larger_fraction(hits: list[int], alarm: bool) -> None:
    rows = [
        results({"balanced": hit / 500}, {"balanced": 500}, method=f"m{row}")
        for row, hit in enumerate(hits)
    ]
    found = of(audit(pd.concat(rows)), "smallest_denominators")
    expected = (
        f"The {len(hits)} accuracies on the balanced test set are multiples of 1/125 already; it "
        f"is stated to have 500 images."
    )
    assert found == ([expected] if alarm else [])


def test_missing_cell_is_named(thesis: pd.DataFrame) -> None:
    found = audit(changed(thesis, np.nan, **SOFTMAX, test_set="tail", metric="f1"))
    assert of(found, "missing_cells")[0] == "1 of 15 cells hold no number."
    assert problems(found, "missing_cells")[0] == ("A.4", "softmax")


def test_complete_table_is_confirmed(thesis: pd.DataFrame) -> None:
    found = audit(thesis[thesis["backbone"] == "vit_b16"])
    assert of(found, "missing_cells", holds=True) == ["All 210 cells hold a number."]


def test_copy_that_is_changed_is_none(thesis: pd.DataFrame) -> None:
    changed_copy = changed(
        thesis, 48.2746, table="A.12", method="ldam", test_set="balanced", metric="loss"
    )
    assert of(audit(changed_copy), "copied_rows") == []


def test_row_copied_from_another_method_is_a_problem(thesis: pd.DataFrame) -> None:
    focal = (thesis["table"] == "A.8") & (thesis["method"] == "focal")
    softmax = (thesis["table"] == "A.8") & (thesis["method"] == "softmax")
    copied = thesis.copy()
    copied.loc[focal, "value"] = thesis.loc[softmax, "value"].to_numpy()
    found = audit(copied)
    assert of(found, "equal_rows", holds=False) == [
        "softmax and focal agree in all 15 values, though their losses differ on this training set."
    ]
    assert found.loc[found["finding"].str.startswith("softmax and focal"), "table"].tolist() == [
        "A.8"
    ]


def test_loss_of_a_part_that_is_off_is_named(thesis: pd.DataFrame) -> None:
    found = audit(changed(thesis, 0.8140, **SOFTMAX, test_set="head", metric="loss"))
    (finding,) = of(found, "losses_add_up", method="softmax", train_set="long_tailed")
    assert "Class weights cannot be why" in finding
    assert "miss the whole in 1 of 4 rows, by +0.026 % (mobilenetv2)" in finding


def test_f1_below_accuracy_on_the_head_is_named(thesis: pd.DataFrame) -> None:
    found = audit(changed(thesis, 0.7492, **SOFTMAX, test_set="head", metric="f1"))
    assert problems(found, "f1_is_weighted") == [("A.4", "softmax"), ("", "")]
    assert "F1 0.7492 on the head is less than Acc1 0.8341" in of(found, "f1_is_weighted")[0]


def test_numbers_are_shown_as_they_were_printed(thesis: pd.DataFrame) -> None:
    printed = thesis.assign(value=thesis["value"].round(2), decimals=2)
    found = audit(changed(printed, 0.7, **SOFTMAX, test_set="head", metric="f1"))
    assert "F1 0.70 on the head is less than Acc1 0.83, unlike" in of(found, "f1_is_weighted")[0]
    collapsed = {"table": "A.4", "method": "class_balanced", "test_set": "balanced"}
    table = changed(printed, 0.1, **collapsed, metric="acc1")
    (sentence,) = of(audit(table), "collapses", method="class_balanced", table="A.4")
    assert sentence == (
        "Acc1 0.10 on the balanced test set is 19 % of softmax's 0.53 (guessing: 0.01): the "
        "training failed."
    )
    losses = of(audit(printed), "unnormalised_logits")
    assert any(loss.startswith("Loss 49.12 at Acc1 0.26 on tail, 10.7") for loss in losses)


def test_without_the_number_of_classes_nothing_is_said_that_follows_from_it(
    thesis: pd.DataFrame,
) -> None:
    known, unknown = audit(thesis), audit(thesis, classes=None)
    assert set(known["check"]) - set(unknown["check"]) == {"unnormalised_logits"}
    assert any("(guessing: 0.01)" in sentence for sentence in of(known, "collapses"))
    assert not any("guessing" in sentence for sentence in of(unknown, "collapses"))
    others = ~known["check"].isin(["unnormalised_logits", "collapses"])
    assert set(known[others]["finding"]) <= set(unknown["finding"])


@pytest.mark.parametrize(("accuracy", "collapsed"), [(0.2640, True), (0.2642, False)])
def test_half_of_softmax_is_no_collapse(
    thesis: pd.DataFrame, accuracy: float, collapsed: bool
) -> None:
    table = changed(
        thesis, accuracy, table="A.4", method="class_balanced", test_set="balanced", metric="acc1"
    )
    assert (("A.4", "class_balanced") in problems(audit(table), "collapses")) is collapsed


# --- checks on made-up results ---------------------------------------------------------------


def results(values: dict[str, float], images: dict[str, int], **names: str) -> pd.DataFrame:
    """A row of one metric."""
    usual = {
        "table": "1", "backbone": "vit", "train_set": "long_tailed", "imbalance_factor": 100.0,
        "method": "ldam", "metric": "acc1", "low": np.nan, "high": np.nan, "note": "",
        "decimals": 4,
    }  # fmt: skip
    cells = [
        {**usual, **names, "test_set": test_set, "value": value, "images": images[test_set]}
        for test_set, value in values.items()
    ]
    return pd.DataFrame(cells)


def test_weights_of_the_parts_are_found() -> None:
    images = {"head": 844, "middle": 169, "tail": 38, "long_tailed": 1051}
    weights = pd.Series({"head": 844 * 1.0, "middle": 169 * 2.0, "tail": 38 * 5.0})
    numbers = np.random.default_rng(0)
    rows = []
    for backbone in BACKBONES:
        parts = pd.Series(numbers.uniform(0, 10, 3), index=weights.index)
        whole = float((parts * weights).sum() / weights.sum())
        values = {**parts, "long_tailed": whole}
        names = {"backbone": backbone, "method": "weighted_softmax"}
        rows.append(results(values, images, metric="loss", **names))
    sentences = of(audit(pd.concat(rows)), "losses_add_up", holds=False)
    assert len(sentences) == 1
    assert "weights of 1, 2.00 and 5.00 for an image of head, middle and tail fit" in sentences[0]


def cosine_row(spread: float, scale: float) -> tuple[pd.DataFrame, float]:
    """LDAM on noisy cosines times a scale, and the mean lead of the class taken for the true."""
    numbers = np.random.default_rng(3)
    labels = numbers.integers(0, 100, 2000)
    own = np.eye(100)[labels] * 0.3
    cosines = np.clip(own + numbers.normal(0, spread, (2000, 100)), -1, 1)
    logits = scale * (cosines - LDAM_MARGIN * np.eye(100)[labels])
    true = logits[np.arange(2000), labels]
    highest = logits.max(axis=1)
    loss = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1)) - true
    right = cosines.argmax(axis=1) == labels
    lead = cosines.max(axis=1) - cosines[np.arange(2000), labels]
    images = {"balanced": 2000}
    row = [
        results({"balanced": float(loss.mean())}, images, metric="loss"),
        results({"balanced": float(right.mean())}, images),
    ]
    return pd.concat(row), float(lead[~right].mean())


@pytest.mark.parametrize("spread", [0.1, 0.3, 0.6])
def test_losses_of_cosines_are_possible(spread: float) -> None:
    row, lead = cosine_row(spread, LDAM_SCALE)
    (sentence,) = of(audit(row), "unnormalised_logits")
    least = float(sentence.split("another class by ")[1].split(" ")[0])
    assert 0 <= least <= lead
    assert "the logits were not normalised" not in sentence


def test_losses_of_a_larger_scale_are_not() -> None:
    row, _ = cosine_row(0.6, 8 * LDAM_SCALE)
    (sentence,) = of(audit(row), "unnormalised_logits", holds=False)
    assert sentence.endswith("which cosines cannot: the logits were not normalised.")


def test_plain_mean_of_f1_is_distinguished_from_the_weighted_one() -> None:
    profile = ExponentialProfile(kind="exponential", imbalance_factor=100)
    labels = np.repeat(np.arange(66, 100), profile_counts(profile, 100, 50)[66:])
    numbers = np.random.default_rng(0)
    weighted: list[pd.DataFrame] = []
    plain: list[pd.DataFrame] = []
    for method in map(str, range(40)):
        predicted = np.where(numbers.random(38) < 0.5, labels, numbers.integers(60, 100, 38))
        logits = np.eye(100)[predicted]
        macro = np.mean([class_f1(predicted, labels, label) for label in np.unique(labels)])
        own = float(weighted_f1(Tally.of(Answers.from_logits(logits, labels)))[0])
        for rows, f1 in ((weighted, own), (plain, float(macro))):
            rows.append(results({"tail": round(f1, 4)}, {"tail": 38}, metric="f1", method=method))
    assert len(of(audit(pd.concat(weighted)), "f1_is_weighted", holds=True)) == 1
    assert len(of(audit(pd.concat(plain)), "f1_is_weighted", holds=False)) == 1


def class_f1(predicted: Int64Array, labels: Int64Array, label: int) -> float:
    hits = ((predicted == label) & (labels == label)).sum()
    return float(2 * hits / ((predicted == label).sum() + (labels == label).sum()))


def test_tables_without_parts_or_losses_are_no_problem() -> None:
    found = audit(shipped("cifar100_lt"))
    assert set(found["check"]) == {"missing_cells", "undecided_pairs"}
    assert found["holds"].all()


def written(*values: str, images: int, test_set: str = "balanced") -> pd.DataFrame:
    """Accuracies of one table as a CSV file has them, a method each."""
    rows = [
        results({test_set: 0.0}, {test_set: images}, method=f"m{row}").assign(value=value)
        for row, value in enumerate(values)
    ]
    return validated(pd.concat(rows, ignore_index=True).drop(columns="decimals").astype(str))


def test_accuracies_are_checked_to_the_decimals_that_are_written() -> None:
    """42 and 54 of 180 images are 0.2333... and 0.3; two decimals fit any number of 180."""
    assert of(audit(written("0.233", "0.300", "0.31", images=180)), "whole_hits") == [
        "2 of 2 accuracies are whole numbers of hits, to the decimals printed."
    ]
    assert of(audit(written("0.2330", "0.235", images=180)), "whole_hits") == [
        "Acc1 0.2330 on the balanced test set is 41.94 hits of 180 images: no whole number.",
        "Acc1 0.235 on the balanced test set is 42.30 hits of 180 images: no whole number.",
        "0 of 2 accuracies are whole numbers of hits, to the decimals printed.",
    ]
    assert of(audit(written("0.31", "0.47", images=180)), "whole_hits") == []


def test_hits_that_the_decimals_do_not_tell_are_not_added_up() -> None:
    """33, 11 and 3 of 60 images each are 47 of 180: 0.26, or with four decimals 0.2611."""
    sizes = {"head": 60, "middle": 60, "tail": 60, "long_tailed": 180}
    for whole, findings in (("0.26", 0), ("0.2611", 1)):
        texts = dict(zip(sizes, ("0.5500", "0.1833", "0.0500", whole), strict=True))
        parts = [written(text, images=sizes[name], test_set=name) for name, text in texts.items()]
        found = audit(pd.concat(parts, ignore_index=True))
        assert len(of(found, "parts_add_up")) == len(of(found, "parts_add_up", holds=True))
        assert len(of(found, "parts_add_up")) == findings


def test_losses_add_up_to_the_decimals_that_are_written() -> None:
    sizes = {"head": 60, "middle": 60, "tail": 60, "long_tailed": 180}
    losses = {"head": 1.01, "middle": 2.02, "tail": 3.02, "long_tailed": 2.01}
    row = results(losses, sizes, metric="loss", method="softmax")
    assert of(audit(row.assign(decimals=2)), "losses_add_up", holds=False) == []
    assert len(of(audit(row), "losses_add_up", holds=False)) == 1


def test_part_of_a_table_is_audited_as_far_as_it_goes(thesis: pd.DataFrame) -> None:
    assert audit(thesis.iloc[:0]).empty
    assert set(audit(thesis[thesis["metric"] == "loss"])["check"]) == {
        "missing_cells",
        "copied_rows",
        "equal_rows",
        "losses_add_up",
        "spared_negatives",
    }
