"""Logits of a trained model: computed once, and stored per model file and images."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from longtail.errors import TrainingError
from longtail.learning.inference import cached_logits as module
from longtail.learning.inference.cached_logits import cached_logits, compute_logits
from longtail.learning.inference.trained_model import Predictor, TrainedModel
from longtail.learning.training import frozen_backbone as features_module
from longtail.learning.training.frozen_backbone import extract_features
from longtail.parameters import Recipe, Trial
from longtail.storage.array_store import ArrayStore
from tests.learning.training.test_freezing import PIXELS, VALIDATION
from tests.learning.training.test_frozen_backbone import frozen_trial, run

MakeTrial = Callable[..., Trial]
MakeRecipe = Callable[..., Recipe]

KEY = "ab" * 32
HELD_OUT = np.union1d(VALIDATION, np.arange(70, 100))


@pytest.fixture
def trial(make_trial: MakeTrial, make_recipe: MakeRecipe) -> Trial:
    return frozen_trial(make_trial, make_recipe)


@pytest.fixture
def model(trial: Trial, tmp_path: Path) -> Path:
    file = tmp_path / "model.safetensors"
    save_file(run(trial, ArrayStore(tmp_path / "store", "ab")).weights, file)
    return file


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of images of each computation of logits."""
    calls: list[int] = []

    def counting(*args: Any) -> Any:
        calls.append(len(args[2]))
        return compute_logits(*args)

    monkeypatch.setattr(module, "compute_logits", counting)
    return calls


def kept(trial: Trial, model: Path, store: ArrayStore, **changes: Any) -> Any:
    given = {"fingerprint": KEY, "pixels": PIXELS, "images": HELD_OUT, **changes}
    trained = TrainedModel(model, trial, 10)
    return cached_logits(trained, validation_images=VALIDATION, store=store, **given)


def test_logits_are_computed_once(
    trial: Trial, model: Path, tmp_path: Path, computed: list[int]
) -> None:
    store = ArrayStore(tmp_path / "store", "ab")
    first = kept(trial, model, store)
    unfrozen = trial.model_copy(
        update={"recipe": trial.recipe.model_copy(update={"freeze": "none"})}
    )
    whole = compute_logits(TrainedModel(model, unfrozen, 10), PIXELS, HELD_OUT)
    np.testing.assert_allclose(first, whole, rtol=1e-4, atol=1e-4)
    nothing_to_read = np.broadcast_to(np.uint8(0), PIXELS.shape)
    assert np.array_equal(first, kept(trial, model, store, pixels=nothing_to_read))
    assert computed == [len(HELD_OUT)]


@pytest.mark.parametrize("freeze", ["backbone", "none"])
def test_logits_of_a_training_in_bfloat16_are_float32s(
    trial: Trial, model: Path, tmp_path: Path, freeze: str
) -> None:
    def trained_in(precision: str) -> TrainedModel:
        update = {"freeze": freeze, "precision": precision}
        recipe = trial.recipe.model_copy(update=update)
        return TrainedModel(model, trial.model_copy(update={"recipe": recipe}), 10)

    expected, logits = (
        compute_logits(
            trained_in(each), PIXELS, HELD_OUT, VALIDATION, ArrayStore(tmp_path / each, "ab")
        )
        for each in ("float32", "bfloat16")
    )
    assert np.array_equal(expected, logits)
    named = Predictor(trained_in("bfloat16")).logits(PIXELS[HELD_OUT])
    np.testing.assert_allclose(named, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("freeze", ["backbone", "none"])
def test_logits_of_five_crops_are_stored_beside_those_of_whole_images(
    trial: Trial, model: Path, tmp_path: Path, computed: list[int], freeze: str
) -> None:
    def cropped(size: int | None) -> Trial:
        update = {"five_crop_size": size, "freeze": freeze}
        return trial.model_copy(update={"recipe": trial.recipe.model_copy(update=update)})

    store = ArrayStore(tmp_path / "store", "ab")
    whole, crops, wider = (kept(cropped(size), model, store) for size in (None, 36, 40))
    assert np.array_equal(whole, kept(cropped(None), model, store))
    assert np.array_equal(crops, kept(cropped(36), model, store))
    assert len(computed) == 3
    assert not np.allclose(whole, crops, atol=1e-3) and not np.allclose(crops, wider, atol=1e-3)
    named = Predictor(TrainedModel(model, cropped(36), 10)).logits(PIXELS[HELD_OUT])
    np.testing.assert_allclose(named, crops, rtol=1e-4, atol=1e-4)


def test_changed_inputs_compute_the_logits_again(
    trial: Trial, model: Path, tmp_path: Path, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ArrayStore(tmp_path / "store", "ab")
    first = kept(trial, model, store)
    kept(trial, model, store, images=HELD_OUT[:-1])
    kept(trial, model, store, fingerprint="cd" * 32)
    kept(trial, model, ArrayStore(tmp_path / "store", "cd"))
    with monkeypatch.context() as patch:
        patch.setattr(module, "ENGINE_VERSION", 1000)
        kept(trial, model, store)
    weights = load_file(model)
    weights["classifier.weight"] *= -1
    save_file(weights, model)
    assert not np.array_equal(first, kept(trial, model, store))
    count = len(HELD_OUT)
    assert computed == [count, count - 1, *[count] * 4]


def test_features_of_held_out_images_serve_all_trials_and_those_of_validation_the_training_too(
    trial: Trial,
    model: Path,
    tmp_path: Path,
    make_trial: MakeTrial,
    make_recipe: MakeRecipe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []

    def counting(model: Any, images: Any, *rest: Any) -> Any:
        seen.append(images.shape[0])
        return extract_features(model, images, *rest)

    monkeypatch.setattr(features_module, "extract_features", counting)
    store = ArrayStore(tmp_path / "store", "ab")  # it has what the training has seen
    kept(trial, model, store)
    assert seen == [len(HELD_OUT) - len(VALIDATION)]
    other = frozen_trial(make_trial, make_recipe, epochs=2, learning_rate=0.1)
    save_file(run(other, store).weights, tmp_path / "other.safetensors")
    kept(other, tmp_path / "other.safetensors", store, fingerprint="cd" * 32)
    assert seen == [len(HELD_OUT) - len(VALIDATION)]


@pytest.mark.parametrize("file", ["logits.npy", "checksums.json"])
@pytest.mark.parametrize("damage", [lambda c: c[:-1] + b"?", lambda _: b"", None])
def test_damaged_logits_are_logged_and_computed_again(
    damage: Callable[[bytes], bytes] | None,
    file: str,
    trial: Trial,
    model: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = ArrayStore(tmp_path / "store", "ab")
    first = np.array(kept(trial, model, store))  # not the file, which is damaged in place
    [place] = (tmp_path / "store").glob(f"{KEY}.*.logits")
    if damage is None:
        (place / file).unlink()
    else:
        (place / file).write_bytes(damage((place / file).read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(first, kept(trial, model, store))
    [message] = caplog.messages
    assert "is damaged: its logits are computed again" in message


def test_a_frozen_training_reads_no_image_whose_features_are_stored(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = trial.model_copy(
        update={"recipe": trial.recipe.model_copy(update={"normalization": "half"})}
    )
    store = ArrayStore(tmp_path, "ab")
    first = run(half, store)

    def refuse(*_: Any) -> None:
        raise AssertionError("images are read")

    monkeypatch.setattr("longtail.learning.data.image_source.reader", refuse)
    monkeypatch.setattr("longtail.learning.training.train.to_device", refuse)
    again = run(half, store)
    assert again.history["train_loss"].equals(first.history["train_loss"])


def test_logits_that_are_not_finite_are_refused(trial: Trial, model: Path, tmp_path: Path) -> None:
    weights = load_file(model)
    weights["classifier.weight"][3] = float("nan")
    save_file(weights, model)
    store = ArrayStore(tmp_path / "store", "ab")
    for _ in range(2):  # computed, and stored
        with pytest.raises(
            TrainingError, match=r"not finite.* Lower recipe\.learning_rate \(it is"
        ):
            kept(trial, model, store)
