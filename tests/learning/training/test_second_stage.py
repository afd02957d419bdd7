"""Second stages: what they train, what they leave, and that they resume with the same bits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from longtail.errors import TrainingError
from longtail.learning.backbones import ScaledLinear, build
from longtail.learning.training import checkpoint as checkpoints
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.second_stage import AdjustedClassifier
from longtail.learning.training.train import TrainingResult, train
from longtail.parameters import Backbone, Compute, Method, Recipe, Trial
from longtail.sources.digits import read_digits
from longtail.storage.array_store import ArrayStore
from longtail.trials.training_job import Split, TrainingJob
from tests.learning.training.test_freezing import pretrained

MakeTrial = Callable[..., Trial]
MakeRecipe = Callable[..., Recipe]

COUNTS = [16, 14, 12, 10, 8, 7, 5, 4, 3, 2]
BALANCED = {"kind": "power", "exponent": 0}
BOTH = ["classifier", "class_scales"]
# What each kind of stage changes of the defaults.
CRT: dict[str, Any] = {"start": "random", "sampling": BALANCED}
LWS: dict[str, Any] = {"trains": ["class_scales"], "sampling": BALANCED}
MISLAS: dict[str, Any] = {
    "trains": BOTH,
    "classifier_rate": 0.2,
    "loss": {"name": "label_aware_smoothing"},
    "sampling": BALANCED,
    "batch_norm": "updated",
}
COSINE: dict[str, Any] = {
    "classifier": {"kind": "cosine", "scale": 10.0},
    "start": "class_means",
    "loss": {"name": "balanced_softmax"},
}
STAGES: dict[str, dict[str, Any]] = {"crt": CRT, "lws": LWS, "mislas": MISLAS, "cosine": COSINE}


@cache
def digits() -> tuple[Any, Any]:
    images = read_digits(32)
    return images.pixels, images.index["label"].to_numpy()


@cache
def split() -> Split:
    _, labels = digits()
    each = [np.flatnonzero(labels == label)[:count] for label, count in enumerate(COUNTS)]
    images, validation = np.concatenate(each), np.arange(1500, 1520)
    return Split(images, labels[images], validation, labels[validation], 10)


@pytest.fixture
def make(make_trial: MakeTrial, make_recipe: MakeRecipe) -> MakeTrial:
    """A trial with a second stage; keywords change its stage, ``recipe`` the recipe."""

    def trial(
        recipe: dict[str, Any] | None = None, compute: Any = None, experts: Any = None, **stage: Any
    ) -> Trial:
        common = {"epochs": 2, "image_size": 32, "crop_padding": 2, "validate_every": 0}
        method = {"name": "m", "label": "M", "loss": {"name": "softmax"}, "experts": experts}
        return make_trial(
            backbone=Backbone(name="net", label="Net", architecture="mobilenetv2_micro"),
            method=Method.model_validate({**method, "second_stage": {"epochs": 3, **stage}}),
            recipe=make_recipe(**common | (recipe or {})),
            **({} if compute is None else {"compute": compute}),
        )

    return trial


class StoppedError(Exception):
    """Simulates the end of a process."""


def run(
    job: TrainingJob,
    first_stage: dict[str, Tensor] | None = None,
    checkpoint: Checkpoint | None = None,
    last: int | None = None,
    store: ArrayStore | None = None,
) -> TrainingResult:
    def stop(epoch: int, _: float) -> None:
        if epoch == last:
            raise StoppedError

    torch.rand(3)  # what ran in this process before must not matter
    is_frozen = job.trial.recipe.freeze == "backbone"
    weights = pretrained("mobilenetv2_micro") if is_frozen else None
    return train(job, digits()[0], weights, stop, checkpoint, store, first_stage)


def stages(trial: Trial) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights after the first and after the second stage."""
    job = TrainingJob.of(trial, split())
    assert job.first_stage is not None
    first = run(job.first_stage).weights
    return first, run(job, first).weights


def changed(first: dict[str, Tensor], second: dict[str, Tensor]) -> set[str]:
    assert first.keys() >= second.keys()  # a cosine classifier has no bias
    return {name for name in second if not torch.equal(first[name], second[name])}


@pytest.mark.parametrize("stage", [CRT, LWS, COSINE], ids=["crt", "lws", "cosine"])
def test_only_the_classifier_changes(stage: dict[str, Any], make: MakeTrial) -> None:
    first, second = stages(make(**stage))
    names = {"classifier.weight", "classifier.bias"} & second.keys()
    assert changed(first, second) == names


def test_statistics_of_batch_norm_are_updated_where_the_stage_says_so(make: MakeTrial) -> None:
    first, second = stages(make(**MISLAS))
    statistics = {name for name in first if "running_" in name or "num_batches" in name}
    classifier = {"classifier.weight", "classifier.bias"}
    assert changed(first, second) == statistics | classifier
    # Once per batch of 3 epochs: 81 images are 5 batches of 16, the last one of them of 17.
    [count] = {int(second[n] - first[n]) for n in first if "num_batches" in n}
    assert count == 3 * 5


def test_a_second_stage_that_diverges_names_its_own_learning_rate(make: MakeTrial) -> None:
    expected = (
        r"after epoch \d of 3\. Lower methods\.m\.second_stage\.learning_rate "
        r"\(it is 1000000\.0\) or lengthen methods\.m\.second_stage\.warmup_epochs \(it is 0\)"
    )
    with pytest.raises(TrainingError, match=expected):
        # Weight decay multiplies the weights by -1e5 in each step.
        stages(make(**CRT, learning_rate=1e6, weight_decay=0.1, recipe={"optimizer": "sgd"}))


def test_a_first_stage_that_diverges_names_all_places_of_its_learning_rate(
    make: MakeTrial,
) -> None:
    trial = make(**CRT, recipe={"optimizer": "sgd", "learning_rate": 1e6})
    expected = (
        rf"Lower recipe\.learning_rate \(it is 1000000\.0\) or lengthen recipe\.warmup_epochs "
        rf"\(it is 0\)\. If backbones\.{trial.backbone.name}\.recipe, methods\.m\.recipe or "
        rf"train\.{trial.name}\.trial\.recipe sets it, change it there$"
    )
    with pytest.raises(TrainingError, match=expected):
        stages(trial)


def test_class_scales_multiply_the_logits_of_their_class(make: MakeTrial) -> None:
    first, second = stages(make(**LWS, learning_rate=0.1))
    scales = (second["classifier.bias"] / first["classifier.bias"])[:, None]
    assert (scales - 1).abs().max() > 0.05
    torch.testing.assert_close(second["classifier.weight"], scales * first["classifier.weight"])


def test_folded_scales_and_offsets_give_the_same_logits() -> None:
    torch.manual_seed(0)
    layer, features = ScaledLinear(5, 3, 2.0), torch.randn(7, 5)
    adjusted = AdjustedClassifier(layer, ["class_scales", "class_offsets"])
    assert torch.equal(adjusted(features), layer(features))  # they start at 1 and at 0
    assert adjusted.scales is not None and adjusted.offsets is not None
    scales, offsets = torch.tensor([0.5, 1.0, 3.0]), torch.tensor([-1.0, 0.0, 2.0])
    with torch.no_grad():
        adjusted.scales.copy_(scales)
        adjusted.offsets.copy_(offsets)
        expected = scales * layer(features) + offsets
    torch.testing.assert_close(adjusted(features), expected)
    torch.testing.assert_close(adjusted.folded()(features), expected)


@pytest.mark.parametrize(
    ("trains", "rate"),
    [
        (["class_scales"], 0.0),
        (["classifier"], 1.0),
        (BOTH, 0.2),
        (["class_offsets"], 0.0),
        (["class_scales", "class_offsets"], 0.0),
        ([*BOTH, "class_offsets"], 0.2),
    ],
)
def test_one_step_is_that_of_the_gradients(
    trains: list[str], rate: float, make: MakeTrial, tmp_path: Path
) -> None:
    plain = {"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "batch_size": 100}
    frozen = {"freeze": "backbone", "crop_padding": 0}
    shares = {"classifier_rate": rate} if 0 < rate < 1 else {}
    trial = make(recipe=plain | frozen, epochs=1, trains=trains, learning_rate=0.3, **shares)
    trial = trial.model_copy(
        update={"backbone": trial.backbone.model_copy(update={"pretrained": True})}
    )
    job = TrainingJob.of(trial, split())
    assert job.first_stage is not None
    store = ArrayStore(tmp_path, "ab")
    first = run(job.first_stage, store=store).weights
    second = run(job, first, store=store).weights
    [features] = [np.load(file)[0] for file in tmp_path.rglob("features.npy")]
    w, b, f = (a.astype(np.float64) for a in (_np(first, "weight"), _np(first, "bias"), features))
    logits = f @ w.T + b
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    error = (p - np.eye(10)[split().train_labels]) / len(f)
    scales = 1 - 0.3 * (error * logits).sum(0) if "class_scales" in trains else np.ones(10)
    offsets = -0.3 * error.sum(0) if "class_offsets" in trains else np.zeros(10)
    w = scales[:, None] * (w - 0.3 * rate * error.T @ f)
    b = scales * (b - 0.3 * rate * error.sum(0)) + offsets
    np.testing.assert_allclose(_np(second, "weight"), w, atol=1e-5)
    np.testing.assert_allclose(_np(second, "bias"), b, atol=1e-5)


def test_a_new_classifier_depends_on_the_seed_and_not_on_the_first_stage(make: MakeTrial) -> None:
    tiny = {"learning_rate": 1e-12, "weight_decay": 0.0}
    first, second = stages(make(start="random", **tiny))
    _, other = stages(make(start="random", recipe={"epochs": 1}, **tiny))
    torch.testing.assert_close(second["classifier.weight"], other["classifier.weight"])
    # Nor is it what the first stage started with.
    trial = make()
    torch.manual_seed(trial.seed)
    initial = build(trial.backbone, trial.method.classifier, 10, 32, None).state_dict()
    assert (second["classifier.weight"] - initial["classifier.weight"]).abs().max() > 0.01
    assert (second["classifier.weight"] - first["classifier.weight"]).abs().max() > 0.01


def test_class_vectors_start_at_the_means_of_the_features_of_unaugmented_images(
    make: MakeTrial,
) -> None:
    trial = make(**COSINE, learning_rate=1e-12, weight_decay=0.0)
    first, second = stages(trial)
    model = build(trial.backbone, trial.method.classifier, 10, 32, None).eval()
    model.load_state_dict(first)
    images = torch.from_numpy(digits()[0][split().train_images]).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        features = model.backbone(model.normalize(images)).double().numpy()
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    sums = np.stack([features[split().train_labels == c].sum(0) for c in range(10)])
    expected = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    np.testing.assert_allclose(_np(second, "weight"), expected, atol=1e-5)


RECIPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "bf16": {"precision": "bfloat16"},
    "ema": {"ema_decay": 0.9},
    "mixup": {"mixing": {"kind": "mixup", "alpha": 1.0}},
    "features": {"freeze": "backbone", "cached_views": 3},
    "frozen layers, SAM": {"freeze": 0.5, "layer_decay": 0.8, "sam_rho": 0.05},
}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("kind", STAGES)
def test_a_stopped_stage_ends_with_the_same_bits(
    kind: str,
    recipe: str,
    make: MakeTrial,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpoints, "MAX_INTERVAL_S", 0.0)
    stage = STAGES[kind] | ({"batch_norm": "kept"} if recipe == "features" else {})
    job = TrainingJob.of(make(recipe=RECIPES[recipe], **stage), split())
    assert job.first_stage is not None
    first = run(job.first_stage).weights
    whole = run(job, first)
    for last in (1, 2):
        with pytest.raises(StoppedError):
            run(job, first, Checkpoint(tmp_path / "c", "t"), last)
    resumed = run(job, first, Checkpoint(tmp_path / "c", "t"))
    assert not changed(whole.weights, resumed.weights)
    assert whole.weights["classifier.weight"].isfinite().all()
    columns = ["epoch", "learning_rate", "train_loss"]
    assert resumed.history[columns].equals(whole.history[columns])


@pytest.mark.parametrize("kind", STAGES)
def test_streamed_images_give_the_same_bits(kind: str, make: MakeTrial) -> None:
    results = []
    for images in ("resident", "streaming"):
        compute = Compute(device="cpu", threads=1, workers=1, compile="never", images=images)
        results.append(stages(make(compute=compute, **STAGES[kind]))[1])
    assert not changed(*results)


def test_averaged_weights_are_the_result(make: MakeTrial) -> None:
    """With a decay so small that the average is the last weights."""
    plain, averaged = (
        stages(make(recipe=recipe, **MISLAS))[1] for recipe in ({}, {"ema_decay": 1e-9})
    )
    for name, value in plain.items():
        torch.testing.assert_close(averaged[name], value)


def test_images_of_a_stage_are_not_mixed(make: MakeTrial) -> None:
    mixed = TrainingJob.of(make(recipe=RECIPES["mixup"], **CRT), split())
    plain = TrainingJob.of(make(**CRT), split())
    assert plain.first_stage is not None
    first = run(plain.first_stage).weights
    assert not changed(run(mixed, first).weights, run(plain, first).weights)


EXPERTS = {"count": 3, "shared": 0.5, "tau": [0, 1, 2], "diversity": 0.3, "reduction": "sum"}


@pytest.mark.parametrize("kind", ["crt", "lws", "mislas"])
def test_each_expert_gets_a_second_stage(kind: str, make: MakeTrial) -> None:
    trial = make(experts=EXPERTS, **STAGES[kind])
    first, second = stages(trial)
    classifiers = {name for name in first if name.startswith("classifier.")}
    assert len(classifiers) == 3 * 2
    body = changed(first, second) - classifiers
    assert all("running_" in name or "num_batches" in name for name in body)
    assert bool(body) == (kind == "mislas")
    assert classifiers <= changed(first, second)
    vectors = [second[f"classifier.experts.{e}.weight"] for e in range(3)]
    assert not torch.equal(vectors[0], vectors[1])
    if kind == "lws":
        for e, vector in enumerate(vectors):
            scales = second[f"classifier.experts.{e}.bias"] / first[f"classifier.experts.{e}.bias"]
            torch.testing.assert_close(
                vector, scales[:, None] * first[f"classifier.experts.{e}.weight"]
            )


def test_experts_have_the_loss_of_the_stage_alone(make: MakeTrial) -> None:
    """The logit adjustments and the diversity of the first stage are its own."""
    job = TrainingJob.of(make(experts=EXPERTS, loss={"name": "balanced_softmax"}), split())
    assert job.losses.last.expert_offsets is None
    assert job.losses.last.diversity == 0
    assert job.losses.last.experts_summed
    assert job.losses.last.offsets is not None
    np.testing.assert_allclose(
        job.losses.last.offsets, np.log(COUNTS) - np.log(COUNTS).mean(), rtol=1e-6
    )
    assert job.first_stage is not None
    assert job.first_stage.losses.last.expert_offsets is not None


def test_one_expert_is_none(make: MakeTrial) -> None:
    one, none = (stages(make(experts=experts, **CRT))[1] for experts in ({"count": 1}, None))
    assert not changed(one, none)


def test_experts_in_two_stages_resume_with_the_same_bits(
    make: MakeTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MAX_INTERVAL_S", 0.0)
    stage = {**MISLAS, "loss": {"name": "balanced_softmax"}, "sampling": None}
    job = TrainingJob.of(make(experts=EXPERTS, **stage), split())
    assert job.first_stage is not None
    first = run(job.first_stage).weights
    whole = run(job, first).weights
    with pytest.raises(StoppedError):
        run(job, first, Checkpoint(tmp_path / "c", "t"), 2)
    assert not changed(whole, run(job, first, Checkpoint(tmp_path / "c", "t")).weights)


def _np(weights: dict[str, Tensor], name: str) -> npt.NDArray[Any]:
    return weights[f"classifier.{name}"].numpy()
