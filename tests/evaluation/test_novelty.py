from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from longtail.arrays import FloatArray
from longtail.evaluation.novelty import (
    SCORE_FUNCTIONS,
    auroc,
    false_alarms,
    novelty,
    novelty_scores,
)
from longtail.evaluation.predictions import Predictions
from longtail.evaluation.uncertainty import exact_interval
from longtail.parameters import Statistics

STATISTICS = Statistics(confidence=0.95, resamples=400, seed=0)


def of_logits(known: FloatArray, unknown: FloatArray) -> pd.DataFrame:
    """Both metrics of images that are known and of others that are not."""
    logits = np.concatenate([known, unknown]).astype(np.float32)
    images = np.arange(len(logits))
    predictions = Predictions(images, np.zeros_like(images), logits)
    of_known, of_unknown = (
        novelty_scores(predictions, part) for part in np.split(images, [len(known)])
    )
    return novelty(of_known, of_unknown, STATISTICS)


def ones(*values: float) -> tuple[np.ndarray, np.ndarray]:
    return np.array(values), np.ones((1, len(values)))


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    """3 wins over all three, 2 ties one and wins two, 1 ties one and wins one: 6 of 9 + 2 / 2."""
    (known, known_weights), (unknown, unknown_weights) = ones(3, 2, 1), ones(2, 1, 0)
    assert auroc(known, unknown, known_weights, unknown_weights)[0] == pytest.approx(7 / 9)


@pytest.mark.parametrize("decimals", [1, 12])
def test_figures_are_those_of_scikit_learn_on_every_resample(decimals: int) -> None:
    generator = np.random.default_rng(0)
    known = generator.normal(1, 1, 97).round(decimals)
    unknown = generator.normal(0, 1, 41).round(decimals)
    known_weights = generator.multinomial(97, [1 / 97] * 97, 20).astype(float)
    unknown_weights = generator.multinomial(41, [1 / 41] * 41, 20).astype(float)
    areas = auroc(known, unknown, known_weights, unknown_weights)
    alarms = false_alarms(known, unknown, known_weights, unknown_weights)
    for i in range(20):
        scores = np.concatenate(
            [
                np.repeat(known, known_weights[i].astype(int)),
                np.repeat(unknown, unknown_weights[i].astype(int)),
            ]
        )
        is_known = np.repeat([1, 0], [97, 41])
        assert areas[i] == pytest.approx(roc_auc_score(is_known, scores))
        false_rate, true_rate, _ = roc_curve(is_known, scores, drop_intermediate=False)
        assert alarms[i] == pytest.approx(false_rate[true_rate >= 0.95][0])


def test_threshold_lets_at_least_95_percent_of_known_images_pass() -> None:
    known, known_weights = ones(*range(20))  # at 1, 19 of 20 pass; at 2 only 18
    unknown, unknown_weights = ones(0.5, 0.9, 1, 1.5)
    assert false_alarms(known, unknown, known_weights, unknown_weights)[0] == 0.5
    assert false_alarms(known, unknown[:2], known_weights, unknown_weights[:, :2])[0] == 0


def test_scores_are_the_papers() -> None:
    logits = np.log(np.array([[1.0, 2.0, 5.0], [3.0, 3.0, 3.0]]))
    assert np.exp(SCORE_FUNCTIONS["max_probability"](logits)) == pytest.approx([5 / 8, 1 / 3])
    assert SCORE_FUNCTIONS["max_logit"](logits) == pytest.approx(np.log([5, 3]))
    assert SCORE_FUNCTIONS["energy"](logits) == pytest.approx(np.log([8, 9]))


def test_sure_and_unsure_answers_are_distinguished_with_an_interval() -> None:
    generator = np.random.default_rng(1)
    known = generator.normal(0, 1, (200, 4)) + 3 * np.eye(4)[generator.integers(0, 4, 200)]
    unknown = generator.normal(0, 1, (80, 4))
    table = of_logits(known, unknown)
    assert table["score"].tolist() == ["max_probability", "max_logit", "energy"]
    assert set(table["known_images"]) == {200}
    assert set(table["unknown_images"]) == {80}
    for figure in ("auroc", "false_alarms"):
        low, value, high = (table[f"{figure}{end}"] for end in ("_low", "", "_high"))
        assert ((low >= 0) & (low < value) & (value < high) & (high <= 1)).all()
    assert (table["auroc"] > 0.75).all()
    again = of_logits(known, unknown)
    assert table.equals(again)


def test_no_interval_where_nothing_is_confused() -> None:
    known, unknown = np.eye(3)[[0, 1, 2] * 5] * 9, np.zeros((7, 3))
    table = of_logits(known, unknown)
    assert table["auroc"].tolist() == [1.0] * 3
    assert table["false_alarms"].tolist() == [0.0] * 3
    assert table["auroc_low"].isna().all()


@pytest.mark.parametrize(("known", "has_interval"), [(58, False), (59, True)])
def test_false_alarms_of_few_known_images_have_no_interval(known: int, has_interval: bool) -> None:
    generator = np.random.default_rng(4)
    logits = generator.normal(1, 1, (known, 3)), generator.normal(0, 1, (40, 3))
    table = of_logits(*logits)
    assert (table["false_alarms_low"].notna() == has_interval).all()
    assert table["auroc_low"].notna().all()


def test_auroc_near_one_is_as_uncertain_as_a_share_of_four_times_the_images() -> None:
    """One of 300 pairs is in the wrong order."""
    known, unknown = np.arange(2.0, 32.0)[:, None], np.zeros((10, 1))
    unknown[0] = 2.5
    low, high = (of_logits(known, unknown)[f"auroc_{end}"][1] for end in ("low", "high"))
    exact = exact_interval(1 - 1 / 300, 40)
    assert (low, high) == pytest.approx(tuple(map(float, exact)), abs=1e-6)


def test_equal_numbers_are_not_resampled_in_step() -> None:
    """In step, as many of the same scores on both sides would always give the same AUROC."""
    logits = np.random.default_rng(2).normal(size=(50, 3))
    table = of_logits(logits, logits)
    assert table["auroc"].tolist() == pytest.approx([0.5] * 3)
    assert (table["auroc_high"] - table["auroc_low"] > 0.15).all()


def test_blocks_do_not_change_the_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    known, unknown = generator.normal(0.5, 1, (30, 3)), generator.normal(0, 1, (20, 3))
    whole = of_logits(known, unknown)
    monkeypatch.setattr("longtail.evaluation.novelty.BLOCK_SIZE", 70)
    assert whole.equals(of_logits(known, unknown))
