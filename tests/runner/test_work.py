"""What trials still have to train: each training once, and nothing that is stored."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io import MemoryDataset
from kedro.pipeline import Node

from longtail.catalog import LongtailCatalog
from longtail.errors import ConfigurationError
from longtail.parameters import Method, Trial
from longtail.runner.schedule import Unit
from longtail.runner.work import work_of_trials
from longtail.storage.store import MODEL_FILE
from longtail.trials.tags import TRIAL_TAG
from longtail.trials.training_job import Split, TrainingJob

LABELS = np.array([0, 0, 0, 0, 1, 1])
SUBSETS = pd.DataFrame({"role": "train", "name": "balanced", "image": range(6)})
CRT = {"second_stage": {"epochs": 3}}
ADJUSTED = {"post_hoc": {"kind": "logit_adjustment", "tau": [1.0]}}


@pytest.fixture
def trials(make_trial: Callable[..., Trial]) -> dict[str, Trial]:
    """A method with a second stage, its first stage alone, and one with an adjustment."""
    ldam = {"loss": {"name": "ldam"}}
    own: dict[str, Any] = {"crt": CRT, "softmax": {}, "adjusted": ADJUSTED, "ldam": ldam}
    return {
        name: make_trial(
            method=Method.model_validate(
                {"name": name, "label": name, "loss": {"name": "softmax"}, **values}
            )
        )
        for name, values in own.items()
    }


def catalog_of(trials: dict[str, Trial], store: Path, labels: object = LABELS) -> LongtailCatalog:
    values = {
        "digits_index": pd.DataFrame({"label": labels}),
        "digits_subsets": SUBSETS,
        "digits_source": {"classes": 2, "sha256": "pixels"},
        "trial_store": store,
        **{f"params:train.{trial.name}.trial": trial for trial in trials.values()},
    }
    return LongtailCatalog({name: MemoryDataset(value) for name, value in values.items()})


def units(trials: dict[str, Trial], *methods: str) -> list[Unit]:
    names = [f"train.{trials[method].name}" for method in methods]
    return [
        Unit(name, (Node(len, "x", "y", name="fit", namespace=name, tags=TRIAL_TAG),))
        for name in names
    ]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (("softmax", "adjusted", "crt", "ldam"), (1, 0, 3, 1)),
        (("crt", "adjusted", "softmax"), (4, 0, 0)),
    ],
)
def test_each_training_is_counted_for_the_first_trial_that_needs_it(
    order: tuple[str, ...], expected: tuple[int, ...], trials: dict[str, Trial], tmp_path: Path
) -> None:
    work = work_of_trials(units(trials, *order), catalog_of(trials, tmp_path))
    assert tuple(work) == tuple(trials[name].name for name in order)
    assert tuple(of.epochs_to_train for of in work.values()) == expected
    crt = work.get(trials["crt"].name)
    assert crt is not None
    assert [(stage.epochs, stage.images) for stage in crt.stages] == [(1, 6), (3, 6)]
    assert crt.stages[0].kinds == work[trials["softmax"].name].stages[0].kinds
    assert crt.stages[0].kinds[0] != crt.stages[1].kinds[0]


def test_a_stored_training_is_counted_for_no_trial(
    trials: dict[str, Trial], tmp_path: Path
) -> None:
    none = np.array([], dtype=np.int64)
    job = TrainingJob.of(trials["softmax"], Split(np.arange(6), LABELS, none, none, 2))
    (tmp_path / job.fingerprint("pixels", None)).mkdir()
    (tmp_path / job.fingerprint("pixels", None) / MODEL_FILE).touch()
    work = work_of_trials(units(trials, "softmax", "crt"), catalog_of(trials, tmp_path))
    assert [of.epochs_to_train for of in work.values()] == [0, 3]


@pytest.mark.parametrize("method", ["ldam", "adjusted"])
def test_a_trial_that_cannot_be_trained_is_refused_before_any_other_is(
    method: str, trials: dict[str, Trial], tmp_path: Path
) -> None:
    labels = np.zeros(6, np.int64)  # margins and log frequencies need an image of each class
    catalog = catalog_of(trials, tmp_path, labels)
    said = rf"^{re.escape(trials[method].name)}: methods\.{method}: .* has none"
    with pytest.raises(ConfigurationError, match=said):
        work_of_trials(units(trials, "softmax", method), catalog)
    work = work_of_trials(units(trials, "softmax"), catalog)
    assert [of.epochs_to_train for of in work.values()] == [1]
    assert work_of_trials([], catalog) == {}
