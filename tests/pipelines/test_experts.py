"""Experts from pixels to their figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from longtail.parameters import Backbone, Method, Recipe, Statistics, Trial
from longtail.parameters.run import parse
from longtail.pipelines.train.nodes import evaluate_trial, fit_trial, score_trial
from tests.learning.training import reference_losses as reference
from tests.pipelines.test_deferred_weights import COUNTS, data

MakeTrial = Callable[..., Trial]


@pytest.mark.parametrize("name", ["ride", "sade", "balpoe"])
def test_named_method_is_trained_evaluated_and_scored_by_its_mean_logits(
    name: str,
    base_config: dict[str, Any],
    make_trial: MakeTrial,
    make_recipe: Callable[..., Recipe],
    tmp_path: Path,
) -> None:
    method: Method = parse(base_config).methods[name]
    trial = make_trial(
        backbone=Backbone(name="net", label="L", architecture="convnext_micro"),
        method=method.model_copy(update={"recipe": {}}),
        train_set="long_tailed",
        recipe=make_recipe(epochs=2, image_size=32, **method.recipe),
    )
    given, source = data(COUNTS), {"classes": 4, "sha256": "ab" * 32}
    model, _, card = fit_trial(source=source, trial=trial, store=tmp_path, **given)
    predictions, logits, evaluation = evaluate_trial(
        source=source, model=model, card=card, trial=trial, store=tmp_path, **given
    )
    metrics = score_trial(
        predictions, logits, given["index"], given["subsets"], card, evaluation, trial,
        Statistics(confidence=0.95, resamples=100, seed=0),
    )[0].set_index("test_set")  # fmt: skip
    with safe_open(model, framework="np") as weights:
        heads = {key for key in weights.keys() if key.startswith("classifier.experts.")}  # noqa: SIM118
    assert heads == {f"classifier.experts.{number}.weight" for number in range(3)}

    z, y, n = logits.astype(np.float64), predictions["label"].to_numpy(), COUNTS.astype(np.float64)
    if name == "ride":
        w = reference.class_weights(n, "effective_number", 0.9999)
        expected = reference.weighted_mean(reference.ldam(z / 30, y, n, 0.5, 30), w, y)
    else:  # the mean of the strengths 0, 1, 2; or of 0, 1, and 1 less 2 of the reversed prior
        taus = {"balpoe": np.log(n), "sade": (2 * np.log(n) - 2 * np.log(n[::-1])) / 3}
        expected = reference.softmax(z + taus[name], y).mean()
    assert metrics.loc["balanced", "loss"] == pytest.approx(expected, rel=1e-5)
