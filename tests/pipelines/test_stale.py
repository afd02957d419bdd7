"""A report is made of results of the current parameters, or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from longtail.errors import DataError
from longtail.learning.backbones import build
from longtail.parameters import Backbone, Classifier
from tests.pipelines.runs import EPOCHS, LONG_TRIAL
from tests.pipelines.support import (
    BACKBONES,
    METHODS,
    SMALL,
    TRAIN_SETS,
    TRIALS,
    Run,
    copy_of,
    dotted,
    run,
)

LONGER = f"train.{LONG_TRIAL}.trial.recipe.epochs={EPOCHS}"
PRETRAINED = (
    *("grid.train_sets=[long_tailed]", "grid.backbones=[convnext_micro]", "grid.methods=[ldam]"),
    "backbones.convnext_micro.pretrained=true",
)


def report(data: Path, *changes: str) -> Run:
    return run(data, dotted(*changes), stages=["report"])


def documents(data: Path) -> set[Path]:
    return {path for path in (data / "08_reporting").rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("change", "reason", "named"),
    [
        ("recipe.weight_decay=0.25", "recipe.weight_decay was 0.05, is 0.25", TRIALS),
        (
            "methods.ldam.loss.max_margin=0.25",
            "method.loss.max_margin was 0.5, is 0.25",
            tuple(trial for trial in TRIALS if ".ldam." in trial),
        ),
        (
            "datasets.digits.imbalance.profile.imbalance_factor=5",
            "digits_subsets are not those that the current parameters",
            (),
        ),
        ("datasets.digits.source.image_size=64", "image_size was 32, is 64", ()),
        (
            "statistics.confidence=0.99",
            "digits_results were made with other parameters than the current ones: "
            "statistics.confidence was 0.95, is 0.99. ",
            (),
        ),
        ("statistics.seed=7", "statistics.seed was 0, is 7. ", ()),
    ],
)
def test_nothing_is_drawn_of_stale_results(
    full: Run, change: str, reason: str, named: tuple[str, ...]
) -> None:
    before = documents(full.data)
    ended = report(full.data, LONGER, change)
    assert isinstance(ended.error, DataError)
    message = str(ended.error)
    assert reason in message
    assert {trial for trial in TRIALS if trial in message} == set(named)
    assert "kedro run --pipelines=full" in message
    assert documents(full.data) == before


def test_other_statistics_are_computed_again_without_training(small: Run, tmp_path: Path) -> None:
    """What the message says to do makes a report of the new statistics."""
    shutil.copytree(small.data, tmp_path, dirs_exist_ok=True)
    changed = run(tmp_path, dotted(*SMALL, "statistics.confidence=0.5"))
    assert changed.error is None
    assert set(changed.load("digits_results")["confidence"]) == {0.5}
    assert set(changed.load("digits_comparisons")["confidence"]) == {0.5}
    assert changed.file("digits_trainings").parent.name == small.run_id
    scores = changed.load("digits_scores")
    assert set(scores) == set(small.load("digits_scores"))
    assert "50% interval" in changed.load("digits_report")


def test_nothing_is_drawn_of_results_of_other_groups(small: Run, tmp_path: Path) -> None:
    """They need no other images, so all trainings are still those of the parameters."""
    data = copy_of(small, tmp_path / "data").data
    groups = "datasets.digits.imbalance.groups={kind: shots, many: 60, few: 30}"
    given = dotted(*SMALL, groups)
    assert run(data, given, stages=["imbalance"]).error is None
    ended = run(data, given, stages=["report"])
    assert isinstance(ended.error, DataError)
    assert "images or labels of head, middle, tail" in str(ended.error)
    assert run(data, given, stages=["train", "report"]).error is None


def test_nothing_is_trained_on_pixels_that_have_changed(small: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    changed = copy_of(small, data).file("digits_images")
    with changed.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x07")
    before = sorted(data.rglob("*"))
    ended = run(data, dotted(*SMALL), stages=["train"])
    assert isinstance(ended.error, DataError)
    assert f"digits_images (version {small.run_id}) has changed since it was ingested" in str(
        ended.error
    )
    assert "kedro run --pipelines=ingest" in str(ended.error)
    assert sorted(data.rglob("*")) == before
    assert run(data, dotted(*SMALL), stages=["ingest", "train"]).error is None


def test_one_trial_s_change_is_that_trial_s(full: Run) -> None:
    ended = report(full.data)  # without what the whole run was given for one trial
    assert isinstance(ended.error, DataError)
    assert f"recipe.epochs was {EPOCHS}, is 1:\n    {LONG_TRIAL}\n" in str(ended.error)
    assert "results of 1 trial" in str(ended.error)


def test_the_verified_results_are_those_of_the_grid(full: Run, tmp_path: Path) -> None:
    shutil.copytree(full.data, tmp_path, dirs_exist_ok=True)
    smaller = report(tmp_path, LONGER, "grid.methods=[softmax,ldam]", "grid.seeds=[0,1]")
    assert smaller.error is None
    verified = smaller.load("report.digits.results")
    assert set(verified["method"]) == {"softmax", "ldam"}
    assert set(verified["seed"]) == {0}
    whole = full.load("report.digits.results")
    assert len(whole) == len(full.load("digits_results"))
    assert len(verified) * len(METHODS) == 2 * len(whole)
    assert set(verified["backbone"]) == set(BACKBONES)
    assert set(verified["train_set"]) == set(TRAIN_SETS)


@pytest.fixture(scope="module")
def pretrained(full: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:  # noqa: ARG001
    """A run of one trial that starts from weights in a file."""
    data = tmp_path_factory.mktemp("pretrained")
    torch.manual_seed(1)
    backbone = Backbone(name="b", label="L", architecture="convnext_micro")
    model = build(backbone, Classifier(), 10, 32, None).backbone
    save_file(model.state_dict(), data / "weights.safetensors")
    weights = f"backbones.convnext_micro.weights={data / 'weights.safetensors'}"
    return run(data, dotted(*PRETRAINED, weights))


def test_pretrained_weights_are_summed_once_and_in_the_fingerprint(
    full: Run, pretrained: Run
) -> None:
    assert pretrained.error is None
    [training] = pretrained.load("digits_trainings").to_dict("records")
    name = "convnext_micro.sha256"
    file = pretrained.data / "06_models/pretrained" / name / pretrained.run_id / name
    assert training["weights_sha256"] == file.read_text()
    assert len(file.read_text()) == 64
    at_random = full.load("train.digits.long_tailed.convnext_micro.ldam.seed0.card")
    assert training["fingerprint"] != at_random["fingerprint"]


def test_whether_weights_were_pretrained_must_agree_with_the_parameters(pretrained: Run) -> None:
    *grid, _ = PRETRAINED
    ended = report(pretrained.data, *grid)
    assert "backbones.convnext_micro.pretrained was true" in str(ended.error)
    # Where the weights lay does not matter, and the file need not be there any more.
    gone = "backbones.convnext_micro.weights=gone.safetensors"
    assert report(pretrained.data, *PRETRAINED, gone).error is None
