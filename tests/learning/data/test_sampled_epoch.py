from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from longtail.learning.data.sampled_epoch import sampled_images
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.train import TrainingResult, train
from longtail.parameters import CanonicalLoss, PowerSampling, ProgressiveSampling, Sampling
from longtail.sources.digits import read_digits
from longtail.trials.class_sampling import ClassSampling, class_sampling
from longtail.trials.loss_schedule import LossSchedule
from tests.learning.training.jobs import resumed, same_weights, training_job

COUNTS = np.array([2000, 400, 80, 16])
LABELS = torch.from_numpy(np.repeat(np.arange(4), COUNTS))[
    torch.randperm(int(COUNTS.sum()), generator=torch.Generator().manual_seed(0))
]
BALANCED = PowerSampling(kind="power", exponent=0)
DIGITS = read_digits(32)
PLAIN = LossSchedule(CanonicalLoss())


def sampled(sampling: Sampling) -> ClassSampling:
    result = class_sampling(sampling, COUNTS, 10)
    assert result is not None
    return result


@pytest.mark.parametrize(
    "sampling",
    [
        BALANCED,
        PowerSampling(kind="power", exponent=0.5),
        ProgressiveSampling(kind="progressive"),
    ],
    ids=["balanced", "square root", "progressive"],
)
def test_classes_and_their_images_are_drawn_as_often_as_they_should(sampling: Sampling) -> None:
    of = sampled(sampling)
    drawn = np.concatenate([sampled_images(of, LABELS, seed, 4).numpy() for seed in range(40)])
    assert len(drawn) == 40 * len(LABELS)
    classes = np.bincount(LABELS.numpy()[drawn], minlength=4)
    assert chisquare(classes, len(drawn) * of.class_probabilities(4)).pvalue > 1e-3
    rare = np.flatnonzero(LABELS.numpy() == 3)
    assert chisquare(np.bincount(drawn, minlength=len(LABELS))[rare]).pvalue > 1e-3


def test_draws_depend_on_seed_and_epoch_alone() -> None:
    of = sampled(BALANCED)
    torch.rand(3)
    first = sampled_images(of, LABELS, 0, 1)
    assert torch.equal(first, sampled_images(of, LABELS, 0, 1))
    assert not torch.equal(first, sampled_images(of, LABELS, 1, 1))
    assert not torch.equal(first, sampled_images(of, LABELS, 0, 2))


def trained(
    trial: Any, sampling: Sampling | None, checkpoint: Checkpoint | None = None, last: int = 0
) -> TrainingResult:
    """Train on a long tail of digits, and stop as a killed process does after epoch ``last``."""

    def stop(epoch: int, _: float) -> None:
        if epoch == last:
            raise KeyboardInterrupt

    labels = DIGITS.index["label"].to_numpy()
    order = np.argsort(labels[:400], kind="stable")
    images = np.concatenate([order[labels[order] == c][: 30 - 3 * c] for c in range(10)])
    job = training_job(trial, PLAIN, labels, images, np.arange(1500, 1520), sampling=sampling)
    return train(job, DIGITS.pixels, None, stop, checkpoint)


@pytest.mark.parametrize(
    ("recipe", "compute"),
    [
        ({}, {}),
        ({"precision": "bfloat16", "ema_decay": 0.5, "mixing": {"kind": "cutmix", "alpha": 1}}, {}),
        ({}, {"images": "streaming"}),
    ],
    ids=["resident", "bf16, averaged, mixed", "streaming"],
)
def test_sampled_training_resumes_with_the_same_bits(
    recipe: dict[str, Any],
    compute: dict[str, Any],
    make_trial: Any,
    make_recipe: Any,
    tmp_path: Any,
) -> None:
    trial = make_trial(recipe=make_recipe(epochs=3, image_size=32, crop_padding=2, **recipe))
    trial = trial.model_copy(update={"compute": trial.compute.model_copy(update=compute)})
    whole = resumed(partial(trained, trial, BALANCED), tmp_path)
    assert not same_weights(whole, trained(trial, None))


def test_sampling_from_the_last_epoch_on_leaves_the_epochs_before(
    make_trial: Any, make_recipe: Any
) -> None:
    trial = make_trial(recipe=make_recipe(epochs=4, image_size=32))
    plain = trained(trial, None).history["train_loss"].to_numpy()
    late = trained(trial, PowerSampling(kind="power", start=0.75)).history["train_loss"].to_numpy()
    np.testing.assert_array_equal(late[:3], plain[:3])
    assert late[3] != plain[3]
