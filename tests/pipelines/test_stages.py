"""Each stage by itself, on data in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from longtail.errors import DataError
from longtail.parameters import Parameters, Trial
from longtail.pipelines import imbalance, ingest, train
from tests.pipelines.runs import EPOCHS, LONG_TRIAL
from tests.pipelines.support import Run, dotted, loader, report_stage, run

TRIAL = "digits.long_tailed.convnext_micro.ldam.seed0"


def settings(*changes: str) -> tuple[Parameters, list[Trial]]:
    return loader("test", **dotted(*changes)).parameters()


def outputs(pipeline: Pipeline, **inputs: Any) -> dict[str, Any]:
    """Run a pipeline in this process, without hooks or files, and give what it makes."""
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()}
    )
    made = SequentialRunner().run(pipeline, catalog)
    return {name: dataset.load() for name, dataset in made.items()}


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    parameters, _ = settings()
    return outputs(
        ingest.create_pipeline(parameters),
        **{
            "params:datasets.digits": parameters.datasets["digits"],
            "params:predict": parameters.predict,
            "downloads": tmp_path_factory.mktemp("downloads"),
            "decoded": tmp_path_factory.mktemp("decoded"),
            "confirmed": tmp_path_factory.mktemp("confirmed"),
            "earlier_splits": tmp_path_factory.mktemp("earlier_splits"),
        },
    )


@pytest.fixture(scope="module")
def cut(ingested: dict[str, Any]) -> dict[str, Any]:
    parameters, _ = settings()
    return outputs(
        imbalance.create_pipeline(parameters),
        **{
            "params:datasets.digits": parameters.datasets["digits"],
            "digits_index": ingested["digits_index"],
        },
    )


def test_ingest_makes_pixels_and_an_index(ingested: dict[str, Any]) -> None:
    assert set(ingested) == {"digits_images", "digits_index", "digits_rejected", "digits_source"}
    pixels, index = ingested["digits_images"], ingested["digits_index"]
    assert pixels.shape == (1797, 32, 32, 3)
    assert pixels.dtype == np.uint8
    assert index["image"].tolist() == list(range(1797))
    assert index["label"].value_counts().min() == 174
    assert ingested["digits_rejected"].empty
    summary = ingested["digits_source"]
    assert (summary["images"], summary["classes"], summary["rejected"]) == (1797, 10, 0)
    assert len(summary["sha256"]) == 64


def test_ingest_gives_the_pixels_that_the_whole_run_had(
    ingested: dict[str, Any], full: Run
) -> None:
    np.testing.assert_array_equal(ingested["digits_images"], full.load("digits_images"))
    assert ingested["digits_source"] == full.load("digits_source")


def test_imbalance_needs_no_pixels(cut: dict[str, Any], full: Run) -> None:
    assert set(cut) == {"digits_subsets", "digits_class_profile"}
    for name, table in cut.items():
        pd.testing.assert_frame_equal(table, full.load(name), check_dtype=False)
    subsets = cut["digits_subsets"]
    train_sizes = subsets[subsets["role"] == "train"]["name"].value_counts()
    assert train_sizes.to_dict() == {
        "natural": 1157,
        "balanced": 1100,
        "long_tailed": 369,
        "matched": 369,
    }


def test_train_fits_evaluates_scores_and_gathers(
    ingested: dict[str, Any], cut: dict[str, Any], tmp_path: Path, full: Run
) -> None:
    one = (
        "grid.train_sets=[long_tailed]",
        "grid.backbones=[convnext_micro]",
        "grid.methods=[ldam]",
    )
    parameters, [trial] = settings(*one)
    made = outputs(
        train.create_pipeline(parameters, [trial]),
        **{
            f"params:train.{TRIAL}.trial": trial,
            "trial_store": tmp_path / "store",
            **{name: ingested[name] for name in ("digits_images", "digits_index", "digits_source")},
            **cut,
            "params:statistics": parameters.statistics,
        },
    )
    assert trial.name == TRIAL
    results = made["digits_results"].set_index("test_set")
    assert set(results["method"]) == {"ldam"}
    expected = full.load(f"train.{TRIAL}.results").set_index("test_set")
    pd.testing.assert_frame_equal(results, expected)
    stored = sorted(path.name for path in (tmp_path / "store").iterdir() if path.name != "locks")
    training, logits = stored
    assert training == results["fingerprint"].iloc[0]
    assert logits.startswith(f"{training}.") and logits.endswith(".logits")


def test_report_needs_tables_and_images_only(full: Run) -> None:
    pipeline, given = report_stage(full, f"train.{LONG_TRIAL}.trial.recipe.epochs={EPOCHS}")
    stored = {name.removeprefix("digits_") for name in given if name.startswith("digits_")}
    assert stored == {
        *("results", "comparisons", "confusions", "reliability", "histories", "trainings"),
        *("source", "index", "subsets", "class_profile", "rejected", "images"),
        *("class_confusions", "examples"),
    }
    made = outputs(pipeline, **given)
    # The archives have all other documents.
    assert set(made) == {"digits_latex", "digits_figures", "digits_report"}
    for name, document in made.items():
        assert document == full.load(name), name


def test_stages_run_one_after_the_other_from_files(full: Run, tmp_path: Path) -> None:
    first = run(tmp_path, stages=["ingest"])
    second = run(tmp_path, stages=["imbalance"])
    assert (first.error, second.error) == (None, None)
    pd.testing.assert_frame_equal(second.load("digits_subsets"), full.load("digits_subsets"))
    assert not (tmp_path / "06_models").exists()


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        ("imbalance", "digits_index"),
        ("train", "digits_images"),
        ("report", "digits_results"),
    ],
)
def test_a_stage_without_the_one_before_it_says_what_to_run(
    tracking: object,  # noqa: ARG001
    tmp_path: Path,
    stage: str,
    name: str,
) -> None:
    ended = run(tmp_path, stages=[stage])
    assert isinstance(ended.error, DataError)
    assert "kedro run --pipelines=full" in str(ended.error)
    assert str(ended.error).startswith(f"{name} is not in {tmp_path} yet: an earlier stage makes")
