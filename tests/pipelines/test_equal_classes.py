"""A grid whose only training set has equal classes: nothing that a person reads names a tail."""

from __future__ import annotations

import logging
import re
from contextlib import chdir
from pathlib import Path

import pytest
from mlflow import MlflowClient

from longtail.commands.compare import compare_runs
from longtail.config import ConfigurationOptions
from tests.pipelines.support import PROJECT, dotted, run

ONE_TRIAL = (
    *("grid.train_sets=[balanced]", "grid.backbones=[convnext_micro]", "grid.methods=[softmax]"),
    "recipe.warmup_epochs=0",
)
TRIAL = "digits.balanced.convnext_micro.softmax.seed0"


def test_no_tail_is_named(
    tracking: MlflowClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first = run(tmp_path, dotted(*ONE_TRIAL), stages=("ingest", "imbalance", "train"))
    assert first.error is None
    [line] = [each.message for each in caplog.records if each.message.startswith(f"{TRIAL}: Acc1")]
    results = first.load(f"train.{TRIAL}.results").set_index("test_set")
    assert line.startswith(f"{TRIAL}: Acc1 balanced {results.at['balanced', 'acc1']:.4f}; trained")

    experiment = tracking.get_experiment_by_name("longtail")
    assert experiment is not None
    condition = f"tags.kedro_run_id = '{first.run_id}'"
    parent, trial = sorted(
        tracking.search_runs([experiment.experiment_id], condition),
        key=lambda each: each.data.tags["trial"],
    )
    assert parent.data.metrics["best_overall"] == pytest.approx(results.at["balanced", "acc1"])
    assert "balanced/acc1" in trial.data.metrics
    named = {*parent.data.metrics, *parent.data.tags, *trial.data.metrics}
    assert not [name for name in named if "tail" in name.replace("long_tailed", "")]

    changed = dotted(*ONE_TRIAL, "recipe.epochs=2")
    second = run(tmp_path, changed, stages=("ingest", "imbalance", "train"))
    assert second.error is None
    with chdir(PROJECT):
        options = ConfigurationOptions("test", {"data": str(tmp_path), **changed})
        compare_runs(None, None, options)
    [page] = tmp_path.glob("08_reporting/digits/run_comparison.html/*/run_comparison.html")
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"Test set (\w+)", text) == ["balanced"]
