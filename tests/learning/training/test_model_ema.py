from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from longtail.learning.backbones import build
from longtail.learning.inference.cached_logits import compute_logits
from longtail.learning.inference.trained_model import TrainedModel
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.model_ema import ModelEma
from longtail.learning.training.train import TrainingResult, train
from longtail.parameters import Backbone, CanonicalLoss, Classifier, Recipe, Trial
from longtail.sources.digits import read_digits
from longtail.trials.loss_schedule import LossSchedule
from tests.learning.training.jobs import killed_after, resumed, training_job

MakeTrial = Callable[..., Trial]
MakeRecipe = Callable[..., Recipe]
DIGITS = read_digits(32)
LABELS = DIGITS.index["label"].to_numpy()
WITH_BATCH_NORM = Backbone(name="b", label="L", architecture="mobilenetv2_micro")


@pytest.mark.parametrize("decay", [0.25, 0.99])
def test_average_is_the_one_computed_by_hand(decay: float) -> None:
    model = build(WITH_BATCH_NORM, Classifier(), 3, 32, None)
    averaged = ModelEma(model, decay)
    running = next(n for n, _ in model.named_buffers() if n.endswith("running_var"))
    by_hand: dict[str, Any] = {}
    for step in range(1, 4):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(step)
            dict(model.named_buffers())[running].mul_(step + 1)
        averaged.update_parameters(model)
        kept = min(decay, step / (step + 9)) if step > 1 else 0
        for name in ("classifier.weight", running):
            now = model.state_dict()[name].clone()
            by_hand[name] = kept * by_hand.get(name, now) + (1 - kept) * now
    for name, expected in by_hand.items():
        assert torch.allclose(averaged.model.state_dict()[name], expected, rtol=1e-5)
        assert not torch.allclose(model.state_dict()[name], expected, rtol=1e-3)


def test_counts_of_batches_are_copied() -> None:
    model = build(WITH_BATCH_NORM, Classifier(), 3, 32, None)
    averaged = ModelEma(model, 0.9)
    for _ in range(3):
        model.train()(torch.zeros(2, 3, 32, 32))
        averaged.update_parameters(model)
    counts = [v for n, v in averaged.model.state_dict().items() if n.endswith("batches_tracked")]
    assert counts and all(count == 3 for count in counts)


def train_until(
    trial: Trial, checkpoint: Checkpoint | None = None, last: int = 0
) -> TrainingResult:
    chosen, validation = np.arange(60), np.arange(1500, 1530)
    job = training_job(trial, LossSchedule(CanonicalLoss()), LABELS, chosen, validation)
    return train(job, DIGITS.pixels, None, killed_after(last), checkpoint)


@pytest.fixture
def trial(make_trial: MakeTrial, make_recipe: MakeRecipe) -> Trial:
    recipe = make_recipe(epochs=3, image_size=32, ema_decay=0.8, learning_rate=5e-3)
    return make_trial(backbone=WITH_BATCH_NORM, recipe=recipe)


def test_averaged_weights_are_what_is_validated_and_stored(trial: Trial, tmp_path: Any) -> None:
    outcome = train_until(trial)
    save_file(outcome.weights, tmp_path / "m")
    trained = TrainedModel(tmp_path / "m", trial, 10)
    logits = compute_logits(trained, DIGITS.pixels, np.arange(1500, 1530))
    nll = torch.nn.functional.cross_entropy(
        torch.from_numpy(logits), torch.from_numpy(LABELS[1500:1530].copy())
    )
    assert outcome.history["validation_loss"].iloc[-1] == pytest.approx(nll.item(), rel=1e-5)
    raw = trial.model_copy(update={"recipe": trial.recipe.model_copy(update={"ema_decay": None})})
    plain = train_until(raw)
    # The training is the same, and its result is not.
    assert plain.history["train_loss"].tolist() == outcome.history["train_loss"].tolist()
    assert plain.history["validation_loss"].iloc[-1] != outcome.history["validation_loss"].iloc[-1]
    assert plain.weights.keys() == outcome.weights.keys()
    assert not torch.equal(plain.weights["classifier.weight"], outcome.weights["classifier.weight"])


def test_average_resumes_from_a_checkpoint_with_the_same_bits(trial: Trial, tmp_path: Any) -> None:
    resumed(partial(train_until, trial), tmp_path)
