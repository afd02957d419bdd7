"""Methods with a second stage: what they share, store and show."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient
from PIL import Image
from safetensors.torch import load_file

from longtail import progress
from longtail.learning.inference.cached_logits import compute_logits
from longtail.learning.inference.trained_model import TrainedModel
from longtail.learning.training import checkpoint as checkpoints
from longtail.parameters import Method, Recipe, Trial
from longtail.pipelines.train.nodes import evaluate_trial, fit_trial
from longtail.progress import EpochDone, TrainingStarted
from tests.pipelines.support import Run, dotted, run
from tests.pipelines.test_deferred_weights import COUNTS, data

BALANCED = {"kind": "power", "exponent": 0}
STAGES: dict[str, dict[str, Any] | None] = {
    "softmax": None,
    "crt": {"epochs": 2, "start": "random", "sampling": BALANCED},
    "lws": {"epochs": 3, "trains": ["class_scales"], "sampling": BALANCED},
    "cosine": {"epochs": 2, "start": "class_means", "classifier": {"kind": "cosine"}},
}
SOURCE = {"classes": 4, "sha256": "ab" * 32}


@pytest.fixture
def make(make_trial: Callable[..., Trial], make_recipe: Callable[..., Recipe]) -> Any:
    def trial(name: str) -> Trial:
        values = {"name": name, "label": name, "loss": {"name": "softmax"}}
        method = Method.model_validate({**values, "second_stage": STAGES[name]})
        return make_trial(recipe=make_recipe(epochs=2), train_set="long_tailed", method=method)

    return trial


def fitted(trial: Trial, store: Path) -> tuple[Path, pd.DataFrame, dict[str, Any]]:
    return fit_trial(source=SOURCE, trial=trial, store=store, **data(COUNTS))


def test_methods_that_start_from_the_same_training_train_it_once(make: Any, tmp_path: Path) -> None:
    """Also where the method without a second stage comes last."""
    crt_model, crt_history, crt = fitted(make("crt"), tmp_path)
    _, lws_history, lws = fitted(make("lws"), tmp_path)
    model, history, plain = fitted(make("softmax"), tmp_path)
    assert crt["first_stage"] == lws["first_stage"] == plain["fingerprint"]
    assert len({card["fingerprint"] for card in (crt, lws, plain)}) == 3
    assert crt["first_stage_seconds"] == lws["first_stage_seconds"] == plain["seconds"]
    assert crt["seconds"] > plain["seconds"]
    assert "first_stage" not in plain
    # A second stage's history begins with that of the first.
    assert crt_history["epoch"].tolist() == [1, 2, 3, 4]
    assert lws_history["epoch"].tolist() == [1, 2, 3, 4, 5]
    columns = ["learning_rate", "train_loss", "validation_acc1"]
    for longer in (crt_history, lws_history):
        pd.testing.assert_frame_equal(longer[columns][:2], history[columns])
    first, second = load_file(model), load_file(crt_model)
    kept = [name for name in first if not name.startswith("classifier.")]
    assert all(torch.equal(first[name], second[name]) for name in kept)


def test_the_order_of_the_trainings_does_not_matter(make: Any, tmp_path: Path) -> None:
    found = {}
    for order in (("softmax", "crt"), ("crt", "softmax")):
        store = tmp_path / "-".join(order)
        for name in order:
            found[order[0], name] = load_file(fitted(make(name), store)[0])
    for name in ("softmax", "crt"):
        one, other = found["softmax", name], found["crt", name]
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_stored_second_stage_needs_no_first(make: Any, tmp_path: Path) -> None:
    _, _, card = fitted(make("crt"), tmp_path)
    (tmp_path / card["first_stage"]).rename(tmp_path / "elsewhere")
    assert fitted(make("crt"), tmp_path)[2] == card
    assert not (tmp_path / card["first_stage"]).exists()


def _fit(trial: Trial, store: Path, answers: Any) -> None:
    torch.set_num_threads(1)
    answers.put((trial.method.name, fitted(trial, store)[2]))


def test_processes_that_need_a_first_stage_at_once_train_it_once(make: Any, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    workers = [
        context.Process(target=_fit, args=(make(name), tmp_path, answers))
        for name in ("crt", "softmax", "lws")
    ]
    for worker in workers:
        worker.start()
    cards = dict(answers.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    plain = cards["softmax"]
    for name in ("crt", "lws"):
        assert cards[name]["first_stage"] == plain["fingerprint"]
        assert cards[name]["first_stage_seconds"] == plain["seconds"]
        assert cards[name]["started"] >= plain["started"] + plain["seconds"] - 0.1


def test_progress_counts_the_epochs_of_both_stages(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(progress, "_sink", told.append)
    fitted(make("crt"), tmp_path)
    epochs = [(e.epoch, e.epochs) for e in told if isinstance(e, EpochDone)]
    assert epochs == [(1, 4), (2, 4), (3, 4), (4, 4)]
    told.clear()
    fitted(make("lws"), tmp_path)  # its first stage is stored
    assert [e.epochs_before for e in told if isinstance(e, TrainingStarted)] == [2]
    assert [(e.epoch, e.epochs) for e in told if isinstance(e, EpochDone)] == [
        (3, 5), (4, 5), (5, 5),
    ]  # fmt: skip


def _fit_until(trial: Trial, store: Path, last: int, answers: Any) -> None:
    """Fit a trial, and kill the process after this epoch; 0 for never."""
    torch.set_num_threads(1)
    done = []

    def told(event: Any) -> None:
        if isinstance(event, EpochDone):
            done.append(event.epoch)
            if event.epoch == last:
                os.kill(os.getpid(), signal.SIGKILL)

    progress._sink = told
    model, history, _ = fitted(trial, store)
    answers.put((done, history["epoch"].tolist(), model.read_bytes()))


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_trial_killed_in_either_stage_ends_with_the_same_bits(
    epoch: int, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MAX_INTERVAL_S", 0.0)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()

    def fit_until(last: int, store: str) -> Any:
        arguments = (make("crt"), tmp_path / store, last, answers)
        process = context.Process(target=_fit_until, args=arguments)
        process.start()
        answer = None if last else answers.get(timeout=60)
        process.join(60)
        assert process.exitcode == (-signal.SIGKILL if last else 0)
        return answer

    done, history, whole = fit_until(0, "whole")
    assert done == history == [1, 2, 3, 4]
    fit_until(epoch, "killed")
    assert len(list((tmp_path / "killed").glob("*.checkpoint"))) == 1
    assert len(list((tmp_path / "killed").glob("*/model.safetensors"))) == (epoch > 2)
    done, history, resumed = fit_until(0, "killed")
    assert done == list(range(epoch + 1, 5))
    assert history == [1, 2, 3, 4]
    assert resumed == whole


@pytest.mark.parametrize("name", ["crt", "lws", "cosine"])
def test_evaluation_is_that_of_the_stored_model(name: str, make: Any, tmp_path: Path) -> None:
    trial, given = make(name), data(COUNTS)
    model, _, card = fitted(trial, tmp_path)
    predictions, logits, _ = evaluate_trial(
        source=SOURCE, model=model, card=card, trial=trial, store=tmp_path, **given
    )
    images = predictions["image"].to_numpy()
    # The card's parameters are enough to load the model, as predict and export do.
    described = Trial.model_validate(card["parameters"])
    expected = compute_logits(TrainedModel(model, described, 4), given["images"], images)
    np.testing.assert_array_equal(logits, expected)


@pytest.fixture(scope="module")
def staged(tracking: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> Run:  # noqa: ARG001
    small = (
        "grid.backbones=[mobilenetv2_micro]", "grid.train_sets=[long_tailed]",
        "grid.methods=[softmax,crt,lws,mislas,two_stage_experts]", "recipe.epochs=3",
    )  # fmt: skip
    made = run(tmp_path_factory.mktemp("staged"), dotted(*small))
    assert made.error is None
    return made


def test_named_methods_run_from_the_images_to_the_report(staged: Run) -> None:
    trainings = staged.load("digits_trainings").set_index("method")
    softmax = trainings.loc["softmax"]
    assert set(trainings.loc[["crt", "lws"], "first_stage"]) == {softmax["fingerprint"]}
    assert trainings.loc["mislas", "first_stage"] not in set(trainings["fingerprint"])
    assert (trainings["seconds"] > trainings["first_stage_seconds"].fillna(0)).all()
    histories = staged.load("digits_histories").groupby("method")["epoch"].max()
    assert histories.to_dict() == {
        "softmax": 3,
        "crt": 7,
        "lws": 7,
        "mislas": 7,
        "two_stage_experts": 7,
    }
    assert "5 trials, 7 trainings" in Path(staged.file("digits_report")).read_text()


@pytest.mark.parametrize("method", ["mislas", "two_stage_experts"])
def test_the_exported_file_has_the_model_of_the_second_stage(method: str, staged: Run) -> None:
    trial = f"digits.long_tailed.mobilenetv2_micro.{method}.seed0"
    exported = run(staged.data, {"predict": {"trial": trial}}, stages=["export"])
    assert exported.error is None
    file = exported.data / "06_models/digits/recognizer.pt2" / exported.run_id / "recognizer.pt2"
    images = staged.load(f"train.{trial}.predictions")["image"].to_numpy()[:20]
    pixels = np.array(staged.load("digits_images")[images])
    with torch.no_grad():
        _, logits = torch.export.load(file).module()(torch.from_numpy(pixels))
    expected = staged.load(f"train.{trial}.logits")[:20]
    np.testing.assert_allclose(logits.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("method", ["crt", "lws", "two_stage_experts"])
def test_photographs_are_named_by_the_model_of_the_second_stage(
    method: str, staged: Run, tmp_path: Path
) -> None:
    subsets, pixels = staged.load("digits_subsets"), staged.load("digits_images")
    tested = subsets.loc[subsets["role"] == "test", "image"].unique()[:20]
    for image in tested:
        Image.fromarray(pixels[image]).save(tmp_path / f"{image}.png")
    trial = f"digits.long_tailed.mobilenetv2_micro.{method}.seed0"
    asked = {"predict": {"path": str(tmp_path), "trial": trial}}
    named = run(staged.data, asked, stages=["predict"])
    assert named.error is None
    card = staged.load(f"train.{trial}.card")
    sheet = named.load("digits_recognizer")
    assert sheet["fingerprint"] == card["fingerprint"] != card["first_stage"]
    # The prior of each model is uniform, as the one that is stated.
    images = staged.load(f"train.{trial}.predictions")["image"]
    logits = staged.load(f"train.{trial}.logits")
    expected = dict(zip(images, logits.argmax(axis=1).astype(str), strict=True))
    names = named.load("digits_names")
    named_images = names["file"].str.removesuffix(".png").astype(int)
    assert names["species"].tolist() == [expected[image] for image in named_images]
