from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, chi2_contingency

from longtail.errors import DataError
from longtail.imbalance.cut import cut
from longtail.imbalance.profiles import profile_counts
from longtail.parameters import Dataset, ExponentialProfile
from longtail.parameters.run import parse
from longtail.published.results import (
    CRITERION_NOTE,
    comparable,
    compare_published,
    shipped,
    two_proportions,
    validated,
)
from longtail.schemas.published import CELL, PUBLISHED, TEST_SETS

COLUMNS = list(PUBLISHED.columns)

IMAGES = {"balanced": 5000, "long_tailed": 1051, "head": 844, "middle": 169, "tail": 38}


def published(*cells: dict[str, Any]) -> pd.DataFrame:
    """Cells of one table; each changes what it names of an accuracy of 0.5 on 100 images."""
    usual = {
        "table": "1", "backbone": "vit", "train_set": "balanced", "imbalance_factor": 100,
        "method": "softmax", "test_set": "tail", "metric": "acc1", "images": 100, "value": 0.5,
        "low": np.nan, "high": np.nan, "note": "", "decimals": 1,
    }  # fmt: skip
    return pd.DataFrame([{**usual, **cell} for cell in cells], columns=[*COLUMNS, "decimals"])


def ours(*cells: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "backbone": "vit", "train_set": "balanced", "method": "softmax", "test_set": "tail",
        "metric": "acc1", "images": 100, "value": 0.5, "low": 0.45, "high": 0.55, "seeds": 3,
        "sd": 0.01,
    }  # fmt: skip
    return pd.DataFrame([{**usual, **cell} for cell in cells])


# --- the tables that come along --------------------------------------------------------------


def test_thesis_table_holds_its_840_cells() -> None:
    thesis = shipped("thesis")
    assert len(thesis) == 840
    assert thesis["value"].notna().sum() == 810
    rows = thesis.dropna(subset="value").drop_duplicates(["table", "method"])
    assert len(rows) == 54
    assert list(thesis["table"].unique()) == [f"A.{n}" for n in range(2, 17, 2)]
    assert set(thesis["imbalance_factor"]) == {100}
    assert thesis.groupby("test_set")["images"].agg(["min", "max"]).to_dict() == {
        "min": IMAGES,
        "max": IMAGES,
    }


def test_thesis_test_sets_are_those_of_the_projects_profile() -> None:
    profile = ExponentialProfile(kind="exponential", imbalance_factor=100)
    counts = profile_counts(profile, 100, 50)
    parts = [counts[:33].sum(), counts[33:66].sum(), counts[66:].sum()]
    assert [counts.sum(), *parts] == [IMAGES[n] for n in ("long_tailed", "head", "middle", "tail")]


@pytest.mark.parametrize(
    ("table", "method", "test_set", "metric", "value"),
    [
        ("A.2", "focal", "head", "acc1", 0.7998),
        ("A.4", "weighted_softmax", "tail", "f1", 0.1912),
        ("A.8", "ldam", "tail", "loss", 53.4080),
        ("A.12", "class_balanced", "head", "acc1", 0.0),
        ("A.16", "equalization", "tail", "f1", 0.3404),
    ],
)
def test_thesis_cells(table: str, method: str, test_set: str, metric: str, value: float) -> None:
    thesis = shipped("thesis").set_index(["table", "method", "test_set", "metric"])
    assert thesis.loc[(table, method, test_set, metric), "value"] == value


def test_benchmark_table_holds_accuracies_of_the_balanced_test_set() -> None:
    benchmark = shipped("cifar100_lt")
    assert set(benchmark["metric"]) == {"acc1"}
    assert set(benchmark["images"]) == {10_000}
    assert benchmark["value"].between(0.3, 0.7).all()
    cells = benchmark.set_index(["imbalance_factor", "method"])["value"]
    assert cells[100]["softmax"] == 0.383
    assert cells[50]["ldam_drw"] == 0.466
    assert cells[10]["class_balanced"] == 0.58
    # Less imbalance is easier, for each method that has several factors.
    by_factor = cells.unstack("imbalance_factor")
    for less, more in ((10, 50), (50, 100)):
        both = by_factor[[less, more]].dropna()
        assert (both[less] > both[more]).all()


# --- validation ------------------------------------------------------------------------------


def test_validated_table_has_types_and_no_more_columns() -> None:
    raw = published({"value": "0.5", "images": "38", "note": np.nan}).assign(more=1)
    table = validated(raw)
    assert list(table.columns) == [*COLUMNS, "decimals"]
    assert table["value"].tolist() == [0.5]
    assert table["images"].dtype == np.int64
    assert table["note"].tolist() == [""]


def test_decimals_are_counted_as_written_and_kept_when_validated_again() -> None:
    texts = ["0.2330", "0.31", "1", " 0.5 ", "2.33e-1", ""]
    raw = published(*({"value": text, "method": f"m{n}"} for n, text in enumerate(texts)))
    once = validated(raw.replace({"value": {"": np.nan}}))
    assert once["decimals"].tolist() == [4, 2, 0, 1, 3, 0]
    pd.testing.assert_frame_equal(validated(once), once)
    numbers = raw.drop(columns="decimals").iloc[:2].astype({"value": float})
    assert validated(numbers)["decimals"].tolist() == [3, 2]  # pandas has dropped the zero


def test_missing_cells_are_valid() -> None:
    assert validated(published({"value": np.nan}))["value"].isna().all()


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"value": 50.0}, "acc1 and f1 must be fractions between 0 and 1 .are they percentages"),
        ({"metric": "f1", "value": -0.1}, "fractions between 0 and 1"),
        ({"high": 55.0}, "fractions between 0 and 1"),
        ({"value": "data"}, "value is 'data', must be a number"),
        ({"metric": "loss", "value": np.inf}, "value is inf, must be a number"),
        ({"images": 0}, "images is 0, must be a whole number of at least 1"),
        ({"images": 38.5}, "images is 38.5, must be a whole number of at least 1"),
        ({"images": np.nan}, "images is empty, must be a whole number of at least 1"),
        ({"imbalance_factor": 0.01}, "imbalance_factor is 0.01, must be a number of at least 1"),
        ({"imbalance_factor": np.nan}, "imbalance_factor is empty, must be a number of at least 1"),
        ({"metric": "accuracy"}, "metric is 'accuracy', must be loss, acc1 or f1"),
        ({"test_set": "teil"}, "test_set is 'teil', must be balanced, long_tailed, head, middle, "),
        (
            {"train_set": "long-tailed"},
            "train_set is 'long-tailed', must be balanced, long_tailed, matched or natural",
        ),
        ({"backbone": np.nan}, "backbone is empty, must be a text"),
        ({"low": 0.6}, "low must be at most value"),
        ({"high": 0.4}, "and value at most high"),
        ({"value": np.nan, "low": 0.5, "high": 0.4}, "low must be at most value"),
    ],
)
def test_wrong_cells_are_named(cell: dict[str, Any], message: str) -> None:
    table = published({"method": "focal"}, {**cell, "method": "ldam"})
    with pytest.raises(DataError, match=message) as error:
        validated(table)
    assert "ldam" in str(error.value)
    assert "focal" not in str(error.value)


def test_cells_that_stand_twice_are_named() -> None:
    with pytest.raises(DataError) as error:
        validated(published({}, {"value": 0.4}))
    assert str(error.value) == (
        "published results, rows 1 and 2 (1 / vit / balanced / softmax / tail / acc1): the same "
        "table, backbone, train_set, method, test_set, metric in two rows"
    )


def test_two_numbers_for_one_cell_are_named() -> None:
    with pytest.raises(DataError, match=r"\(1 / vit.*, 2 / vit.*\): two tables report"):
        validated(published({}, {"table": "2"}))
    validated(published({}, {"table": "2", "imbalance_factor": 50}))


def test_only_the_first_wrong_cells_are_listed() -> None:
    table = published(*({"method": f"m{i}", "value": 50.0} for i in range(5)))
    with pytest.raises(DataError, match=r"rows 1, 2, 3 and 2 more \(.*m0.*m1.*m2 / tail"):
        validated(table)


def test_missing_columns_are_named() -> None:
    with pytest.raises(
        DataError, match="has no column images and note; its columns are table, backbone"
    ):
        validated(published({}).drop(columns=["images", "note"]))


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(DataError, match="published results has no row below its header"):
        validated(published({}).iloc[:0])


def test_test_sets_are_those_that_are_cut(base_config: dict[str, Any]) -> None:
    digits = parse(base_config).datasets["digits"]
    labels = np.repeat(np.arange(10), 170)
    index = pd.DataFrame(
        {"image": np.arange(len(labels)), "label": labels, "class_name": labels, "split": ""}
    )
    subsets, _ = cut(index, digits.imbalance, "digits")
    assert set(subsets.loc[subsets["role"] == "test", "name"]) == set(TEST_SETS)


# --- comparison ------------------------------------------------------------------------------


def dataset(base_config: dict[str, Any], **profile: Any) -> Dataset:
    base_config["datasets"]["cifar100"]["imbalance"]["profile"] = profile
    return parse(base_config).datasets["cifar100"]


def test_only_results_of_the_same_factor_are_comparable(base_config: dict[str, Any]) -> None:
    of_factor = dataset(base_config, kind="exponential", imbalance_factor=50)
    chosen = comparable(shipped("cifar100_lt"), of_factor)
    assert set(chosen["table"]) == {"CIFAR-100-LT-50"}
    assert comparable(shipped("thesis"), of_factor).empty
    of_factor = dataset(base_config, kind="exponential", imbalance_factor=100)
    pd.testing.assert_frame_equal(comparable(shipped("thesis"), of_factor), shipped("thesis"))


@pytest.mark.parametrize(
    "profile", [{"kind": "step", "imbalance_factor": 100}, {"kind": "pareto", "alpha": 6}]
)
def test_other_profiles_have_nothing_to_compare_with(
    base_config: dict[str, Any], profile: dict[str, Any]
) -> None:
    assert comparable(shipped("thesis"), dataset(base_config, **profile)).empty


def test_accuracies_are_compared_with_their_intervals() -> None:
    theirs = published({"value": 0.6, "note": "suspect"})
    (row,) = compare_published(ours({"value": 0.55, "low": 0.5, "high": 0.59}), theirs).to_dict(
        "records"
    )
    exact = binomtest(60, 100).proportion_ci(method="exact")
    contingency = chi2_contingency([[55, 45], [60, 40]], correction=False)
    assert row["difference"] == pytest.approx(-0.05)
    assert (row["published_low"], row["published_high"]) == pytest.approx((exact.low, exact.high))
    assert row["inside"] is False
    assert row["overlap"] is True
    assert row["p"] == pytest.approx(contingency.pvalue)
    assert {name: row[name] for name in ("table", "note", "images", "seeds", "sd")} == {
        "table": "1", "note": "suspect", "images": 100, "seeds": 3, "sd": 0.01,
    }  # fmt: skip


def test_our_accuracy_is_of_our_own_number_of_images() -> None:
    (row,) = compare_published(
        ours({"images": 40, "value": 0.55}), published({"value": 0.6})
    ).to_dict("records")
    contingency = chi2_contingency([[22, 18], [60, 40]], correction=False)
    assert row["p"] == pytest.approx(contingency.pvalue)
    assert (row["our_images"], row["images"]) == (40, 100)


@pytest.mark.parametrize(("value", "inside"), [(0.45, True), (0.55, True), (0.56, False)])
def test_ends_of_our_interval_belong_to_it(value: float, inside: bool) -> None:
    assert compare_published(ours({}), published({"value": value}))["inside"].tolist() == [inside]


def test_intervals_apart_do_not_overlap() -> None:
    comparison = compare_published(ours({}), published({"value": 0.9}))
    assert comparison["overlap"].tolist() == [False]
    assert comparison["p"][0] < 1e-6


def test_published_range_widens_the_interval_and_never_narrows_it() -> None:
    theirs = published({"low": 0.2, "high": 0.5}, {"test_set": "head", "low": 0.49, "high": 0.9})
    comparison = compare_published(ours({}, {"test_set": "head"}), theirs)
    exact = binomtest(50, 100).proportion_ci(method="exact")
    assert comparison["published_low"].tolist() == pytest.approx([0.2, exact.low])
    assert comparison["published_high"].tolist() == pytest.approx([exact.high, 0.9])


def test_losses_and_f1_have_no_interval_but_the_published_range() -> None:
    theirs = published(
        {"metric": "loss", "value": 13.5, "note": "suspect"},
        {"metric": "f1", "low": 0.4, "high": 0.6},
    )
    comparison = compare_published(
        ours({"metric": "loss", "value": 14.0}, {"metric": "f1"}), theirs
    )
    assert comparison["published_low"].tolist() == pytest.approx([np.nan, 0.4], nan_ok=True)
    assert comparison["overlap"].tolist() == [pd.NA, True]
    assert comparison["p"].isna().all()
    assert comparison["note"].tolist() == [f"suspect; {CRITERION_NOTE}", ""]


def test_cells_without_a_published_number_stay_with_their_note() -> None:
    comparison = compare_published(ours({}), published({"value": np.nan, "note": "not reported"}))
    (row,) = comparison.to_dict("records")
    assert row["ours"] == 0.5
    missing = ("published", "published_low", "published_high", "difference", "inside", "overlap")
    assert all(pd.isna(row[name]) for name in (*missing, "p"))
    assert row["note"] == "not reported"


def test_only_cells_of_both_are_compared_in_the_published_order() -> None:
    theirs = published({"method": "ldam"}, {"method": "focal"}, {"method": "softmax"})
    comparison = compare_published(ours({}, {"method": "ldam"}, {"method": "mixup"}), theirs)
    assert comparison["method"].tolist() == ["ldam", "softmax"]
    assert comparison.columns[1 : len(CELL) + 1].tolist() == CELL


# --- the test of two proportions -------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "first_images", "second", "second_images"),
    [(19, 38, 27, 38), (1, 38, 0, 40), (4000, 5000, 3950, 5000), (5, 10, 500, 1000)],
)
def test_two_proportions_are_tested_as_by_chi_squared(
    first: int, first_images: int, second: int, second_images: int
) -> None:
    hits = [[first, first_images - first], [second, second_images - second]]
    p = two_proportions(first / first_images, first_images, second / second_images, second_images)
    assert p == pytest.approx(chi2_contingency(hits, correction=False).pvalue)


def test_equal_proportions_have_no_difference() -> None:
    p = two_proportions([0.0, 1.0, 0.3, np.nan], 38, [0.0, 1.0, 0.3, 0.5], 38)
    assert p.tolist() == pytest.approx([1, 1, 1, np.nan], nan_ok=True)
