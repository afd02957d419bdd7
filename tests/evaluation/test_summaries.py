from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from longtail.evaluation.metrics import METRICS
from longtail.evaluation.summaries import SUMMARISED_METRICS, summarise

T_TWO_SEEDS, T_THREE_SEEDS = 12.706204736432095, 4.302652729749464  # Student's 0.975 quantiles


def trial(method: str, seed: int, test_set: str = "balanced", **figures: float) -> dict[str, Any]:
    """A row of results in which all figures but the given ones are 0.5, give or take 0.1."""
    values = dict.fromkeys(SUMMARISED_METRICS, 0.5) | figures
    ends = {f"{n}_low": v - 0.1 for n, v in values.items()}
    ends |= {f"{n}_high": v + 0.2 for n, v in values.items()}
    names = {"dataset": "d", "train_set": "balanced", "backbone": "b", "method": method}
    return {**names, "seed": seed, "test_set": test_set, "images": 40, **values, **ends}


def summary(metric: str, *trials: dict[str, Any]) -> Any:
    """The row of a metric where all trials are of one method and test set."""
    [row] = [r for r in summarise(pd.DataFrame(trials), 0.95).itertuples() if r.metric == metric]
    return row


def test_figures_are_the_criterion_and_every_metric() -> None:
    assert list(SUMMARISED_METRICS) == ["loss", *METRICS]


def test_means_intervals_and_deviations_by_hand() -> None:
    trials = [trial("a", seed, acc1=value) for seed, value in enumerate((0.50, 0.56, 0.53))]
    row = summary("acc1", *trials)
    by_seed = T_THREE_SEEDS * 0.03 / math.sqrt(3)
    assert (row.images, row.seeds) == (40, 3)
    assert row.value == pytest.approx(0.53)
    assert row.sd == pytest.approx(0.03)
    assert row.low == pytest.approx(0.53 - math.hypot(0.1, by_seed))
    assert row.high == pytest.approx(0.53 + math.hypot(0.2, by_seed))


def test_seeds_that_agree_leave_what_the_images_leave() -> None:
    row = summary("macro_f1", trial("a", 0), trial("a", 1))
    assert (row.low, row.value, row.high) == pytest.approx((0.4, 0.5, 0.7))
    assert row.sd == 0


def test_one_seed_has_its_own_interval_and_no_deviation() -> None:
    row = summary("f1", trial("a", 4))
    assert (row.low, row.value, row.high) == pytest.approx((0.4, 0.5, 0.7))
    assert row.seeds == 1
    assert math.isnan(row.sd)


def test_shares_stay_between_0_and_1_and_losses_above_0() -> None:
    values = 0.05, 0.95
    acc1 = summary("acc1", *(trial("a", seed, acc1=v) for seed, v in enumerate(values)))
    assert (acc1.low, acc1.high) == (0, 1)
    nll = summary("nll", *(trial("a", seed, nll=v) for seed, v in enumerate(values)))
    half = math.hypot(0.2, T_TWO_SEEDS * 0.9 / 2)  # the deviation is 0.9 / sqrt(2)
    assert (nll.low, nll.high) == pytest.approx((0, 0.5 + half))


@pytest.mark.parametrize("metric", ["f1", "nll"])
def test_a_figure_without_an_interval_stays_without(metric: str) -> None:
    trials = [trial("a", seed) for seed in (0, 1)]
    trials[1] |= {f"{metric}_low": float("nan"), f"{metric}_high": float("nan")}
    row = summary(metric, *trials)
    assert (row.value, row.sd) == (0.5, 0)
    assert math.isnan(row.low) and math.isnan(row.high)
    assert not math.isnan(summary("acc1", *trials).low)


def test_a_row_a_method_test_set_and_figure_in_the_order_of_the_results() -> None:
    order = [("b", "tail"), ("b", "balanced"), ("a", "tail"), ("a", "balanced")]
    trials = [trial(m, s, t) for m, t in order for s in ((0,) if m == "a" else (0, 1))]
    table = summarise(pd.DataFrame(trials), 0.95)
    assert list(table.columns) == [
        *("dataset", "train_set", "backbone", "method", "test_set", "metric"),
        *("images", "seeds", "value", "low", "high", "sd"),
    ]
    cells = table[["method", "test_set", "metric"]].itertuples(index=False, name=None)
    assert list(cells) == [(*cell, metric) for cell in order for metric in SUMMARISED_METRICS]
    seeds = table.groupby("method")["seeds"].unique()
    assert (seeds["a"].tolist(), seeds["b"].tolist()) == ([1], [2])
