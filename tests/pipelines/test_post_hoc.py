"""Post-hoc methods in a whole run: rows like any other, without new trainings."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from safetensors.numpy import load_file

from longtail.errors import DataError
from tests.pipelines.support import TRAINING, Run, dotted, run

METHODS = ("softmax", "softmax_adjusted", "softmax_tau_normalized")
SMALL = ("grid.backbones=[convnext_micro]", f"grid.methods=[{','.join(METHODS)}]")
CELL = "train.digits.long_tailed.convnext_micro"


@pytest.fixture(scope="module")
def late(tracking: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> Run:  # noqa: ARG001
    made = run(tmp_path_factory.mktemp("late"), dotted(*SMALL, "recipe.epochs=3"))
    assert made.error is None
    return made


def logits(made: Run, method: str) -> Any:
    return made.load(f"{CELL}.{method}.seed0.logits").astype(np.float64)


def test_the_training_is_that_of_the_method_without_it(late: Run) -> None:
    cards = [late.load(f"{CELL}.{method}.seed0.card") for method in METHODS]
    assert len({card["fingerprint"] for card in cards}) == 1
    assert len({card["started"] for card in cards}) == 1
    assert {card["trained_by"] for card in cards} == {
        "digits.long_tailed.convnext_micro.softmax.seed0"
    }


def test_logits_are_changed_by_the_log_prior(late: Run) -> None:
    profile = late.load("digits_class_profile").sort_values("label")
    log_counts = np.log(profile["train_long_tailed"].to_numpy())
    expected = logits(late, "softmax") - (log_counts - log_counts.mean())
    np.testing.assert_allclose(logits(late, "softmax_adjusted"), expected, atol=1e-5)
    evaluation = late.load(f"{CELL}.softmax_adjusted.seed0.evaluation")
    assert evaluation["tau"] == 1
    assert evaluation["validation"] == []


def test_logits_are_changed_by_the_norms_with_the_tau_that_validates_best(late: Run) -> None:
    model = load_file(late.load(f"{CELL}.softmax.seed0.model"))
    norms = np.linalg.norm(model["classifier.weight"].astype(np.float64), axis=1)
    evaluation = late.load(f"{CELL}.softmax_tau_normalized.seed0.evaluation")
    tried = {row["tau"]: row["balanced_accuracy"] for row in evaluation["validation"]}
    assert list(tried) == [0.25, 0.5, 0.75, 1]
    assert tried[evaluation["tau"]] == max(tried.values())
    expected = (logits(late, "softmax") - model["classifier.bias"]) / norms ** evaluation["tau"]
    np.testing.assert_allclose(logits(late, "softmax_tau_normalized"), expected, atol=1e-5)
    results = late.load("digits_results").query("train_set == 'long_tailed'")
    own = results[results["method"] == "softmax_tau_normalized"].set_index("test_set")
    assert set(own["tau"]) == {evaluation["tau"]}
    best = own.loc["validation", "balanced_accuracy"]
    assert best == pytest.approx(tried[evaluation["tau"]])


def test_the_mean_logits_of_experts_are_adjusted(
    tracking: MlflowClient,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    experts = "methods.{}.experts={{count: 2, shared: 0.5}}"
    named = ("balanced_softmax", "softmax_adjusted")
    changes = (
        *(experts.format(name) for name in named),
        "methods.balanced_softmax.loss={name: softmax}",
        "grid.train_sets=[long_tailed]",
        "grid.backbones=[convnext_micro]",
    )
    grid = dotted(*changes, f"grid.methods=[{','.join(named)}]")
    both = run(tmp_path, grid, stages=TRAINING)
    assert both.error is None
    profile = both.load("digits_class_profile").sort_values("label")
    log_counts = np.log(profile["train_long_tailed"].to_numpy())
    expected = logits(both, "balanced_softmax") - (log_counts - log_counts.mean())
    np.testing.assert_allclose(logits(both, "softmax_adjusted"), expected, atol=1e-5)
    # Alone it has no model to compare with that of an earlier run.
    alone = run(tmp_path, dotted(*changes, "grid.methods=[softmax_adjusted]"), stages=["train"])
    assert alone.error is None


def test_results_say_what_was_done_and_rows_are_compared(late: Run) -> None:
    results = late.load("digits_results")
    noted = results.groupby(["train_set", "method"])["post_hoc"].unique().map(list)
    assert noted["long_tailed", "softmax"] == ["none"]
    assert noted["long_tailed", "softmax_adjusted"] == [
        '{"kind": "logit_adjustment", "tau": [1.0]}'
    ]
    # Equal counts have no prior to take away.
    assert noted["balanced", "softmax_adjusted"] == ["none"]
    page = late.load("digits_report")
    assert (
        "Softmax + post-hoc adjustment is post hoc: the training of Softmax, of which the" in page
    )
    table = late.load("report.digits.convnext_micro.long_tailed.acc1_intervals_table")
    assert "are the same training" not in table
    balanced = late.load("report.digits.convnext_micro.balanced.acc1_intervals_table")
    assert "Softmax and Softmax + post-hoc adjustment are the same training" in balanced


def test_another_tau_is_noticed_and_evaluated_without_training(
    late: Run, caplog: pytest.LogCaptureFixture
) -> None:
    changed = "methods.softmax_adjusted.post_hoc.tau=0.5"
    given = dotted(*SMALL, "recipe.epochs=3", changed)
    stale = run(late.data, given, stages=["report"])
    assert isinstance(stale.error, DataError)
    assert (
        "post_hoc was {kind: logit_adjustment, tau: [1]}, is {kind: logit_adjustment, tau: [0.5]}"
        in str(stale.error)
    )
    assert "softmax_tau_normalized" not in str(stale.error)
    with caplog.at_level(logging.INFO):
        mended = run(late.data, given)
    assert mended.error is None
    trial = f"{CELL.removeprefix('train.')}.softmax_adjusted.seed0"
    acc1 = mended.load(f"train.{trial}.results").set_index("test_set")["acc1"]
    shown = [f"{name} {acc1[name]:.4f}" for name in ("balanced", "balanced_head", "balanced_tail")]
    assert f"{trial}: Acc1 {', '.join(shown)}; the same training as" in caplog.text
    assert mended.file("digits_trainings") == late.file("digits_trainings")
    assert mended.load(f"{CELL}.softmax_adjusted.seed0.evaluation")["tau"] == 0.5
    assert Path(mended.file("digits_report")).exists()
