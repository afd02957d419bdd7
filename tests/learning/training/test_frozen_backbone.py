"""Cached features: equal to uncached ones, stored once, and computed again if damaged."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from longtail.errors import DiskFullError
from longtail.learning.backbones import CosineLinear, ImageClassifier, build
from longtail.learning.data.image_source import as_image_source
from longtail.learning.inference.cached_logits import compute_logits
from longtail.learning.inference.trained_model import TrainedModel
from longtail.learning.predict_logits import predict_logits
from longtail.learning.training import checkpoint as checkpoints, frozen_backbone as module
from longtail.learning.training.cached_views import CachedViews, FeatureClassifier, as_one_pixel
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.frozen_backbone import extract_features
from longtail.learning.training.train import TrainingResult, train
from longtail.parameters import (
    Backbone,
    CanonicalLoss,
    Classifier,
    Method,
    Mixing,
    Recipe,
    Softmax,
    Trial,
)
from longtail.storage import array_store
from longtail.storage.array_store import ArrayStore
from longtail.trials.loss_schedule import LossSchedule
from tests.learning.training.jobs import same_weights, training_job
from tests.learning.training.test_freezing import (
    CPU,
    LABELS,
    PIXELS,
    TRAIN,
    VALIDATION,
    network,
    pretrained,
)

MakeTrial = Callable[..., Trial]
MakeRecipe = Callable[..., Recipe]

EPOCHS = 4
PLAIN = LossSchedule(CanonicalLoss())
COSINE = Classifier(kind="cosine", scale=30)


class StoppedError(Exception):
    """Simulates the end of a process."""


@pytest.fixture
def trial(make_trial: MakeTrial, make_recipe: MakeRecipe) -> Trial:
    return frozen_trial(make_trial, make_recipe)


def frozen_trial(
    make_trial: MakeTrial,
    make_recipe: MakeRecipe,
    architecture: str = "mobilenetv2_micro",
    classifier: Classifier = COSINE,
    **changes: Any,
) -> Trial:
    recipe: dict[str, Any] = {
        "epochs": EPOCHS,
        "image_size": 32,
        "crop_padding": 2,
        "horizontal_flip": True,
    }
    recipe |= {"freeze": "backbone", "cached_views": 3, "learning_rate": 0.01, **changes}
    return make_trial(
        backbone=Backbone(name="net", label="Net", architecture=architecture),
        method=Method(name="m", label="M", loss=Softmax(name="softmax"), classifier=classifier),
        recipe=make_recipe(**recipe),
    )


def run(
    trial: Trial,
    store: ArrayStore | None = None,
    checkpoint: Checkpoint | None = None,
    last: int = EPOCHS,
    weights: dict[str, Tensor] | None = None,
    train_images: Any = TRAIN,
) -> TrainingResult:
    def stop(epoch: int, _: float) -> None:
        if epoch == last < EPOCHS:
            raise StoppedError

    weights = weights or pretrained(trial.backbone.architecture)
    job = training_job(trial, PLAIN, LABELS, train_images, VALIDATION)
    return train(job, PIXELS, weights, stop, checkpoint, store)


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.features"))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of images of each computation of features."""
    calls: list[int] = []

    def counting(model: Any, images: Tensor, *rest: Any) -> Any:
        calls.append(images.shape[0])
        return extract_features(model, images, *rest)

    monkeypatch.setattr(module, "extract_features", counting)
    return calls


@pytest.mark.parametrize(
    "architecture", ["mobilenetv2_micro", "resnetv2_micro", "vit_micro", "convnext_micro"]
)
def test_logits_are_the_same_through_features_and_through_the_whole_model(
    architecture: str, make_trial: MakeTrial, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    trial = frozen_trial(make_trial, make_recipe, architecture)
    outcome = run(trial, ArrayStore(tmp_path / "store", "ab"))
    save_file(outcome.weights, tmp_path / "model.safetensors")
    trained = TrainedModel(tmp_path / "model.safetensors", trial, 10)
    whole = compute_logits(trained, PIXELS, VALIDATION)
    stored = next(
        array
        for file in tmp_path.rglob("features.npy")
        if (array := np.load(file)).shape[:2] == (1, len(VALIDATION))
    )
    model = _loaded(outcome, trial)
    images = as_one_pixel(torch.from_numpy(stored[0]))
    classifier = FeatureClassifier(model.classifier)
    through = predict_logits(classifier, images, trial.recipe.batch_size, CPU).numpy()
    np.testing.assert_allclose(through, whole, rtol=1e-4, atol=1e-4)
    last = outcome.history.iloc[-1]
    assert last["validation_acc1"] == pytest.approx((whole.argmax(1) == LABELS[VALIDATION]).mean())


def _loaded(outcome: TrainingResult, trial: Trial) -> ImageClassifier:
    model = build(trial.backbone, trial.method.classifier, 10, 32, None)
    model.load_state_dict(outcome.weights)
    return model.eval()


def test_features_from_the_store_train_the_same_bits_as_without_one(
    trial: Trial, tmp_path: Path
) -> None:
    store = ArrayStore(tmp_path, "ab")
    without = run(trial)
    assert same_weights(without, run(trial, store))
    assert same_weights(without, run(trial, store))


def test_methods_and_seeds_share_the_features(
    trial: Trial, make_trial: MakeTrial, make_recipe: MakeRecipe, tmp_path: Path, counted: list[int]
) -> None:
    store = ArrayStore(tmp_path, "ab")
    run(trial, store)
    assert counted == [60, 20]
    run(frozen_trial(make_trial, make_recipe, classifier=Classifier()), store)
    run(trial.model_copy(update={"seed": 7}), store)
    run(frozen_trial(make_trial, make_recipe, epochs=2, learning_rate=0.1, batch_size=32), store)
    assert counted == [60, 20]


@pytest.mark.parametrize(
    ("change", "computed"),
    [
        ({"cached_views": 2}, [60]),
        ({"crop_padding": 1}, [60]),
        ({"horizontal_flip": False}, [60]),
        ({"image_size": 40}, [60, 20]),
        ({"normalization": "half"}, [60, 20]),
        ({"precision": "bfloat16"}, [60]),  # what is measured is float32, whatever is trained
    ],
    ids=str,
)
def test_changed_parameters_compute_the_features_again(
    change: dict[str, Any],
    computed: list[int],
    trial: Trial,
    make_trial: MakeTrial,
    make_recipe: MakeRecipe,
    tmp_path: Path,
    counted: list[int],
) -> None:
    store = ArrayStore(tmp_path, "ab")
    run(trial, store)
    counted.clear()
    run(frozen_trial(make_trial, make_recipe, **change), store)
    assert counted == computed


def test_other_weights_pixels_or_images_have_their_own_features(
    trial: Trial, tmp_path: Path, counted: list[int]
) -> None:
    half = trial.model_copy(
        update={"recipe": trial.recipe.model_copy(update={"normalization": "half"})}
    )
    run(half, ArrayStore(tmp_path, "ab"))
    counted.clear()
    run(half, ArrayStore(tmp_path, "cd"))
    assert counted == [60, 20]
    counted.clear()
    run(half, ArrayStore(tmp_path, "ab"), train_images=TRAIN[:50])
    assert counted == [50]  # the validation images are the same
    counted.clear()
    other = {name: value + 0.01 for name, value in pretrained("mobilenetv2_micro").items()}
    run(half, ArrayStore(tmp_path, "ab"), weights=other)
    assert counted == [60, 20]


def test_first_view_is_the_image_and_others_are_reproducible(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    model = network("mobilenetv2_micro").eval()
    images = torch.from_numpy(PIXELS[:70]).permute(0, 3, 1, 2).contiguous()
    trial = make_trial(recipe=make_recipe(image_size=32, crop_padding=4))
    one = extract_features(model, images, trial, 1, CPU)
    three = extract_features(model, images, trial, 3, CPU)
    assert three.shape == (3, 70, 128)
    with torch.no_grad():
        direct = model.backbone(model.normalize(images.float())).numpy()
    np.testing.assert_allclose(one[0], direct, rtol=1e-4, atol=1e-5)
    assert np.array_equal(one[0], three[0])
    assert not np.allclose(three[1], three[0]) and not np.allclose(three[1], three[2])
    assert np.array_equal(three, extract_features(model, images, trial, 3, CPU))


def test_each_epoch_draws_a_view_of_each_image() -> None:
    views = torch.arange(3.0)[:, None, None] * 100 + torch.arange(50.0)[None, :, None]
    generator = torch.Generator().manual_seed(0)
    shown = as_image_source(as_one_pixel(views[0]))
    batches = [torch.arange(50).flip(0)[:30], torch.arange(20)]
    epochs = [
        torch.cat(list(CachedViews(views).epoch(shown, batches, generator))).flatten()
        for _ in range(2)
    ]
    expected = torch.cat(batches)
    for drawn in epochs:
        assert torch.equal(drawn % 100, expected.float())  # each image its own feature
        assert set((drawn // 100).tolist()) == {0.0, 1.0, 2.0}
    assert not torch.equal(*epochs)


def test_killed_training_on_cached_features_resumes_with_the_same_bits(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: list[int]
) -> None:
    monkeypatch.setattr(checkpoints, "MAX_INTERVAL_S", 0.0)
    whole = run(trial)
    counted.clear()
    store, file = ArrayStore(tmp_path / "store", "ab"), tmp_path / "c"
    for last in range(1, EPOCHS):
        with pytest.raises(StoppedError):
            run(trial, store, Checkpoint(file, "t"), last)
    resumed = run(trial, store, Checkpoint(file, "t"))
    assert same_weights(whole, resumed)
    assert counted == [60, 20]
    columns = ["epoch", "learning_rate", "train_loss", "validation_loss", "validation_acc1"]
    assert resumed.history[columns].equals(whole.history[columns])


@pytest.mark.parametrize("file", ["features.npy", "checksums.json"])
@pytest.mark.parametrize("damage", [lambda c: c[:-1] + b"?", lambda _: b"", None])
def test_damaged_features_are_logged_and_computed_again(
    damage: Callable[[bytes], bytes] | None,
    file: str,
    trial: Trial,
    tmp_path: Path,
    counted: list[int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = ArrayStore(tmp_path, "ab")
    first = run(trial, store)
    counted.clear()
    for place in kept(tmp_path):
        if damage is None:
            (place / file).unlink()
        else:
            (place / file).write_bytes(damage((place / file).read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert same_weights(first, run(trial, store))
    assert counted == [60, 20]
    assert all("is damaged: its features are computed again" in m for m in caplog.messages)
    assert len(caplog.messages) == 2
    counted.clear()
    run(trial, store)
    assert counted == []


def test_full_disk_is_reported_and_leaves_no_partial_file(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(array_store, "_save", full)
    with pytest.raises(DiskFullError, match=r"the disk is full: .*\.features could not be written"):
        run(trial, ArrayStore(tmp_path, "ab"))
    assert [item.name for item in tmp_path.iterdir()] == ["locks"]


def test_folded_batch_norm_of_a_frozen_backbone_stays_folded(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    torch.manual_seed(3)
    folded = {k: v.clone() for k, v in network("mobilenetv2_micro").backbone.state_dict().items()}
    for name, value in folded.items():
        if name.endswith("bias"):
            value.copy_(0.3 * torch.randn(value.shape))
    trials = {
        freezing: frozen_trial(make_trial, make_recipe, freeze=freezing)
        for freezing in ("backbone", 0.6)
    }
    after = {freezing: run(trial, weights=folded) for freezing, trial in trials.items()}
    whole, part = after["backbone"].weights, after[0.6].weights
    assert all(torch.equal(whole[f"backbone.{name}"], folded[name]) for name in folded)
    # The frozen layers are unfolded, and compute the same as the folded ones.
    images = torch.from_numpy(PIXELS[VALIDATION]).permute(0, 3, 1, 2).float()
    outputs = []
    for freezing, weights in (("backbone", whole), (0.6, part)):
        model = _loaded(after[freezing], trials[freezing])
        assert weights is after[freezing].weights
        with torch.no_grad():
            layers: Any = model.backbone
            stem = layers.bn1(layers.conv_stem(model.normalize(images)))
            outputs.append(layers.blocks[:2](stem))
    assert not torch.equal(whole["backbone.bn1.running_mean"], part["backbone.bn1.running_mean"])
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-3, atol=1e-4)


def test_cosine_classifier_is_initialised_with_class_means() -> None:
    layer = CosineLinear(2, 3, 30)
    before = layer.weight.detach().clone()
    features = torch.tensor([[3.0, 0.0], [0.0, 0.5], [-2.0, 0.0]])
    layer.init_class_means(features, torch.tensor([0, 0, 2]))
    half = 0.5**0.5
    assert torch.allclose(layer.weight[0], torch.tensor([half, half]))
    assert torch.equal(layer.weight[1], before[1])  # no image of it
    assert torch.equal(layer.weight[2], torch.tensor([-1.0, 0.0]))


def test_class_means_are_of_the_training_images_and_share_their_features(
    make_trial: MakeTrial, make_recipe: MakeRecipe, tmp_path: Path, counted: list[int]
) -> None:
    still: dict[str, Any] = {"learning_rate": 1e-12, "weight_decay": 0.0}
    store = ArrayStore(tmp_path, "ab")
    run(frozen_trial(make_trial, make_recipe, **still), store)
    counted.clear()
    means = frozen_trial(make_trial, make_recipe, cosine_start="class_means", **still)
    outcome = run(means, store)
    assert counted == []
    array = next(a for f in tmp_path.rglob("*.npy") if (a := np.load(f)).shape[0] == 3)
    directions = array[0] / np.linalg.norm(array[0], axis=1, keepdims=True)
    expected = np.stack([directions[LABELS[TRAIN] == c].mean(0) for c in range(10)])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(outcome.weights["classifier.weight"], expected, atol=1e-5)
    validated = next(a for f in tmp_path.rglob("*.npy") if (a := np.load(f)).shape[0] == 1)[0]
    nearest = (validated @ expected.T).argmax(1)
    hits = (nearest == LABELS[VALIDATION]).mean()
    assert outcome.history["validation_acc1"].iloc[-1] == pytest.approx(hits)


def test_mixup_of_features_shares_them_and_resumes_with_the_same_bits(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MAX_INTERVAL_S", 0.0)
    store, plain = ArrayStore(tmp_path, "aa"), trial
    unmixed = run(plain, store, train_images=TRAIN[:50])
    mixing = Mixing(kind="mixup", alpha=1, partner_exponent=0, probability=0.5)
    trial = trial.model_copy(update={"recipe": trial.recipe.model_copy(update={"mixing": mixing})})
    features = kept(tmp_path)
    whole = run(trial, store, train_images=TRAIN[:50])
    assert kept(tmp_path) == features
    assert not same_weights(whole, unmixed)
    with pytest.raises(StoppedError):
        run(trial, store, Checkpoint(tmp_path / "c", "t"), last=2, train_images=TRAIN[:50])
    resumed = run(trial, store, Checkpoint(tmp_path / "c", "t"), train_images=TRAIN[:50])
    assert same_weights(whole, resumed)


def test_whitened_features_are_shared_and_resume_with_the_same_bits(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MAX_INTERVAL_S", 0.0)
    store, plain = ArrayStore(tmp_path, "aa"), run(trial, ArrayStore(tmp_path, "aa"))
    features = kept(tmp_path)
    recipe = trial.recipe.model_copy(update={"whiten_features": True})
    whitened = trial.model_copy(update={"recipe": recipe})
    whole = run(whitened, store)
    assert kept(tmp_path) == features
    assert whole.weights.keys() - plain.weights.keys() == {"whitening.mean", "whitening.matrix"}
    assert not torch.equal(whole.weights["classifier.weight"], plain.weights["classifier.weight"])
    with pytest.raises(StoppedError):
        run(whitened, store, Checkpoint(tmp_path / "c", "t"), last=2)
    assert same_weights(whole, run(whitened, store, Checkpoint(tmp_path / "c", "t")))


def test_whitened_logits_are_the_same_through_features_and_through_the_whole_model(
    make_trial: MakeTrial, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    still: dict[str, Any] = {"learning_rate": 1e-12, "weight_decay": 0.0}
    trial = frozen_trial(
        make_trial, make_recipe, whiten_features=True, cosine_start="class_means", **still
    )
    outcome = run(trial)
    save_file(outcome.weights, tmp_path / "model.safetensors")
    trained = TrainedModel(tmp_path / "model.safetensors", trial, 10)
    through = compute_logits(trained, PIXELS, VALIDATION)
    images = torch.from_numpy(PIXELS[VALIDATION]).permute(0, 3, 1, 2)
    model = trained.load()
    whole = predict_logits(model, images, 32, CPU).numpy()
    np.testing.assert_allclose(through, whole, rtol=1e-3, atol=1e-3)
    hits = (whole.argmax(1) == LABELS[VALIDATION]).mean()
    assert outcome.history["validation_acc1"].iloc[-1] == pytest.approx(hits)
    # The class vectors are the mean directions of the whitened training images.
    model.eval()
    images = torch.from_numpy(PIXELS[TRAIN]).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        directions = F.normalize(model.whitening(model.backbone(model.normalize(images)))).numpy()
    expected = np.stack([directions[LABELS[TRAIN] == c].mean(0) for c in range(10)])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(outcome.weights["classifier.weight"], expected, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"freeze": "none"}, "but freeze is none"),
        ({"freeze": 0.5}, "but freeze is 0.5"),
        ({"freeze": "backbone", "adapters": {"bottleneck": 2}}, "but adapters change them"),
    ],
)
def test_whitening_is_refused_where_the_training_changes_the_features(
    changes: dict[str, Any], reason: str, make_recipe: MakeRecipe
) -> None:
    with pytest.raises(ValidationError, match=reason):
        make_recipe(whiten_features=True, **changes)
