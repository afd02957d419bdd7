"""A method with two phases, from pixels to its figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from longtail.parameters import LDAM, Classifier, DeferredWeights, Method, Recipe, Statistics, Trial
from longtail.pipelines.train.nodes import evaluate_trial, fit_trial, score_trial
from tests.learning.training import reference_losses as reference

COUNTS = np.array([24, 12, 6, 3])
EQUAL = np.array([6, 6, 6, 6])
TEST_IMAGES = 4
TEST_SETS = ("balanced", "head", "tail")


def method(deferred: DeferredWeights | None) -> Method:
    return Method(
        name="some",
        label="L",
        loss=LDAM(name="ldam"),
        classifier=Classifier(kind="cosine", scale=30),
        deferred_weights=deferred,
    )


def data(counts: Any) -> dict[str, Any]:
    """Noise on a brightness that tells the class; every test set has the same images."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2, 3] * 2, [*counts, *[TEST_IMAGES] * 4])
    pixels = random.integers(0, 60, (len(labels), 16, 16, 3)) + 40 * labels[:, None, None, None]
    train, test = np.arange(counts.sum()), np.arange(counts.sum(), len(labels))
    parts = [("train", "long_tailed", train)]
    parts += [("test", name, test) for name in (*TEST_SETS, "balanced_head", "balanced_tail")]
    parts += [("validation", "validation", test)]
    subsets = [pd.DataFrame({"role": r, "name": n, "image": images}) for r, n, images in parts]
    return {
        "images": pixels.astype(np.uint8),
        "index": pd.DataFrame({"label": labels}),
        "subsets": pd.concat(subsets, ignore_index=True),
    }


@pytest.fixture
def trial(make_trial: Callable[..., Trial], make_recipe: Callable[..., Recipe]) -> Trial:
    recipe = make_recipe(epochs=4)
    return make_trial(recipe=recipe, train_set="long_tailed", method=method(DeferredWeights()))


def fitted(trial: Trial, counts: Any, store: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """The card, and the figures by test set."""
    given = data(counts)
    source = {"classes": 4, "sha256": "ab" * 32}
    model, _, card = fit_trial(source=source, trial=trial, store=store, **given)
    predictions, logits, evaluation = evaluate_trial(
        source=source, model=model, card=card, trial=trial, store=store, **given
    )
    scored = score_trial(
        predictions=predictions,
        logits=logits,
        index=given["index"],
        subsets=given["subsets"],
        card=card,
        evaluation=evaluation,
        trial=trial,
        statistics=Statistics(confidence=0.95, resamples=100, seed=0),
    )
    metrics = scored[0].set_index("test_set")
    logits = logits.astype(np.float64)
    y, n = predictions["label"].to_numpy(), counts.astype(np.float64)
    losses = reference.ldam(logits / 30, y, n, 0.5, 30)
    weights = reference.class_weights(n, "effective_number", 0.9999)
    metrics["expected"] = reference.weighted_mean(losses, weights, y)
    metrics["unweighted"] = losses.mean()
    return card, metrics


def test_model_is_measured_by_the_loss_of_its_last_epoch(trial: Trial, tmp_path: Path) -> None:
    card, metrics = fitted(trial, COUNTS, tmp_path)
    assert card["canonical_loss"]["weights"] is None
    assert card["canonical_loss"]["deferred"]["first_epoch"] == 4
    balanced = metrics.loc["balanced"]
    assert balanced["loss"] == pytest.approx(balanced["expected"], rel=1e-5)
    assert balanced["loss"] != pytest.approx(balanced["unweighted"], rel=1e-2)


def test_on_equal_counts_the_deferred_training_is_the_plain_one(
    trial: Trial, tmp_path: Path
) -> None:
    first, _ = fitted(trial, EQUAL, tmp_path)
    plain = trial.model_copy(update={"method": method(None)})
    second, _ = fitted(plain, EQUAL, tmp_path)
    assert second["started"] == first["started"]
    assert second["fingerprint"] == first["fingerprint"]
    third, _ = fitted(plain, COUNTS, tmp_path)
    assert third["started"] > first["started"]
