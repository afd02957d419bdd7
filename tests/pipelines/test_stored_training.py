"""A stored training is used again, without what no longer belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from longtail.parameters import Recipe, Trial
from longtail.pipelines.train.nodes import fit_trial
from tests.pipelines.test_deferred_weights import data

SOURCE = {"classes": 4, "sha256": "ab" * 32}
VALIDATION = ["validation_loss", "validation_acc1"]


def test_the_learning_curve_is_that_of_the_current_validation_labels_or_missing(
    make_trial: Callable[..., Trial],
    make_recipe: Callable[..., Recipe],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    trial = make_trial(recipe=make_recipe(epochs=2), train_set="long_tailed")
    given = data(np.array([8, 4, 2, 2]))
    model, history, card = fit_trial(source=SOURCE, trial=trial, store=tmp_path, **given)
    assert history[VALIDATION].notna().all(axis=None)
    _, again, _ = fit_trial(source=SOURCE, trial=trial, store=tmp_path, **given)
    pd.testing.assert_frame_equal(again, history)
    assert not caplog.records
    relabelled = given["index"].copy()
    first = given["subsets"].query("role == 'validation'")["image"].iloc[0]
    relabelled.loc[first, "label"] = 3
    given |= {"index": relabelled}
    same, changed, reused = fit_trial(source=SOURCE, trial=trial, store=tmp_path, **given)
    assert (same, reused) == (model, card)
    assert changed[VALIDATION].isna().all(axis=None)
    pd.testing.assert_frame_equal(
        changed.drop(columns=VALIDATION), history.drop(columns=VALIDATION)
    )
    assert f"{trial.name}: validation images have other labels" in caplog.text
