"""What the report's page is made from, for any number of classes, without images or trainings.

Everything that grows with the classes has its real size; metrics and tests are random numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.framework.startup import bootstrap_project
from kedro.pipeline import Pipeline

from benchmarks.synthetic import confusions_of, profile_of
from longtail.arrays import UInt8Array
from longtail.config import ConfigurationOptions
from longtail.context import open_project
from longtail.evaluation.summaries import SUMMARISED_METRICS
from longtail.evaluation.trainings import TRIAL_COLUMNS, trainings_table
from longtail.parameters import Trial
from longtail.pipelines import report
from longtail.pipelines.report.pipeline import VERIFIED
from longtail.reporting.page.gallery import THUMBNAIL_SIDE
from longtail.reporting.tables.layouts import BALANCED_PART_LABELS, TEST_SET_LABELS
from longtail.trials.post_hoc import NONE

PROJECT = Path(__file__).parents[1]
DATASET = "digits"
# Images of each class: for training, for validation and in the test set.
SPLIT = {"train": 2, "validation": 1, "test": 3}
TEST_SETS = (*TEST_SET_LABELS, *BALANCED_PART_LABELS)
EPOCHS, BINS, PHOTOGRAPHS, TOP = 10, 15, 15, 3


def report_pipeline() -> tuple[Pipeline, dict[str, Any], list[Trial]]:
    """What makes the page of the default grid from verified tables, its parameters, the trials."""
    bootstrap_project(PROJECT)
    with open_project(ConfigurationOptions(None, {})) as (_, context):
        parameters, trials = context.loader.parameters()
        values = context.params
    page = report.create_pipeline(parameters).to_outputs(f"{DATASET}_report")
    pipeline = page - page.only_nodes_with_outputs(
        *(f"report.{DATASET}.{name}" for name in VERIFIED)
    )
    named = [name for name in pipeline.inputs() if name.startswith("params:")]
    return pipeline, {name: _value(values, name) for name in named}, trials


def _value(values: Any, name: str) -> Any:
    """The value of ``params:a.b``."""
    for key in name.removeprefix("params:").split("."):
        values = values[key] if isinstance(values, dict) else getattr(values, key)
    return values


def report_inputs(classes: int, trials: list[Trial]) -> dict[str, Any]:
    """The tables of a data set and of trials, by their names in the catalog."""
    profile = profile_of(classes)
    each = confusions_of(classes, 1).drop(columns=list(TRIAL_COLUMNS))
    confusions = pd.concat(
        [each.assign(**trial.axes._asdict()) for trial in trials], ignore_index=True
    )
    index, subsets = _index(profile)
    verified = {
        "results": _results(trials, classes),
        "comparisons": _comparisons(trials),
        "trainings": trainings_table(*map(_card, trials)),
        "class_profile": profile,
        "class_confusions": confusions,
        "examples": pd.concat([_examples(trial, profile) for trial in trials], ignore_index=True),
    }
    data = {
        "source": {"width": 32, "height": 32, "sha256": "0" * 64, "classes": classes},
        "index": index,
        "subsets": subsets,
        "rejected": pd.DataFrame({"file": [], "reason": []}),
        "images": _photographs(len(index)),
        "confusions": confusions,
        "histories": _histories(trials),
        "reliability": _reliability(trials),
    }
    return {f"report.{DATASET}.{name}": value for name, value in verified.items()} | {
        f"{DATASET}_{name}": value for name, value in data.items()
    }


def _index(profile: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The images of each class, and which subset each one is in."""
    roles = [role for role, images in SPLIT.items() for _ in range(images)]
    labels = np.repeat(profile["label"].to_numpy(), len(roles))
    image = np.arange(len(labels))
    index = pd.DataFrame({"image": image, "label": labels})
    index["class_name"] = profile["class_name"].to_numpy()[labels]
    index["file"] = [f"images/{number:07}.jpg" for number in image]
    index["split"], index["group"] = "", index["image"]
    role = np.tile(roles, len(profile))
    parts = [
        pd.DataFrame({"role": kind, "name": name, "image": image[role == kind]})
        for kind in SPLIT
        for name in (("balanced", "long_tailed") if kind != "validation" else ("validation",))
    ]
    return index, pd.concat(parts, ignore_index=True)


def _photographs(images: int) -> UInt8Array:
    """One image of noise for all, the largest as JPEG, without its memory for each."""
    shape = (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)
    noise = np.random.default_rng(4).integers(0, 256, shape, dtype=np.uint8)
    return np.broadcast_to(noise, (images, *shape))


def _results(trials: list[Trial], classes: int) -> pd.DataFrame:
    generator = np.random.default_rng(5)
    rows = []
    for trial in trials:
        for test_set in (*TEST_SETS, "validation"):
            row = {**trial.axes._asdict(), "test_set": test_set, "images": classes}
            for metric, value in zip(
                SUMMARISED_METRICS,
                generator.uniform(0.3, 0.7, len(SUMMARISED_METRICS)),
                strict=True,
            ):
                row |= {metric: value, f"{metric}_low": value - 0.1, f"{metric}_high": value + 0.1}
            rows.append(row | {"fingerprint": trial.name, "trained_by": trial.name})
    return pd.DataFrame(rows).assign(post_hoc=NONE, five_crop_size=np.nan)


def _comparisons(trials: list[Trial]) -> pd.DataFrame:
    generator = np.random.default_rng(6)
    cells = dict.fromkeys((t.dataset, t.train_set, t.backbone.name) for t in trials)
    methods = list(dict.fromkeys(trial.method.name for trial in trials))
    rows = [
        (*cell, test_set, metric, first, second, 1, generator.normal(0, 0.02), generator.random())
        for cell in cells
        for test_set in TEST_SETS
        for metric in ("acc1", "f1")
        for first, second in combinations(methods, 2)
    ]
    names = ("dataset", "train_set", "backbone", "test_set", "metric", "first", "second")
    return pd.DataFrame(rows, columns=[*names, "seeds", "difference", "p"])


def _card(trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.name,
        "fingerprint": trial.name,
        "trained_by": trial.name,
        "started": 0.0,
        "seconds": 60.0,
        "model_parameters": 10**6,
        "multiply_adds": 10**8,
        "parameters": trial.model_dump(mode="json"),
        **dict.fromkeys(("device", "processor", "number_format", "python", "torch"), "synthetic"),
        **dict.fromkeys(("timm", "numpy", "longtail", "engine", "commit"), "synthetic"),
        "uncommitted_changes": False,
    }


def _examples(trial: Trial, profile: pd.DataFrame) -> pd.DataFrame:
    """Right and wrong answers for head and tail, with the three most probable classes."""
    rows = []
    for group in ("tail", "head"):
        labels = profile.loc[profile["group"] == group, "label"].to_numpy()
        for number in range(PHOTOGRAPHS):
            for right in (True, False):
                true = int(labels[number % len(labels)])
                answers = [(true + place + (not right)) % len(profile) for place in range(TOP)]
                row = {
                    **trial.axes._asdict(),
                    "group": group,
                    "right": right,
                    "true_probability": 0.5,
                }
                row |= {"image": true * sum(SPLIT.values()), "true": true}
                for place, answer in enumerate(answers, 1):
                    row |= {f"predicted_{place}": answer, f"probability_{place}": 0.5 / place}
                rows.append(row)
    return pd.DataFrame(rows)


def _histories(trials: list[Trial]) -> pd.DataFrame:
    generator = np.random.default_rng(7)
    rows: Iterator[dict[str, Any]] = (
        {**trial.axes._asdict(), "epoch": epoch, "validation_acc1": generator.random()}
        for trial in trials
        for epoch in range(1, EPOCHS + 1)
    )
    return pd.DataFrame(rows)


def _reliability(trials: list[Trial]) -> pd.DataFrame:
    rows: Iterator[dict[str, Any]] = (
        {
            **trial.axes._asdict(),
            "bin": number,
            "images": 100,
            "confidence": share,
            "accuracy": share,
        }
        for trial in trials
        for number, share in enumerate(np.linspace(0.05, 0.95, BINS))
    )
    return pd.DataFrame(rows)
