from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from longtail.learning.training import checkpoint as module
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.train import TrainingResult, train
from longtail.parameters import (
    OWN_ARCHITECTURES,
    Backbone,
    CanonicalLoss,
    Recipe,
    StepSchedule,
    Trial,
)
from longtail.sources.digits import read_digits
from longtail.trials.loss_schedule import DeferredLoss, LossSchedule
from tests.damage import with_flipped_bit
from tests.learning.training.jobs import same_weights, training_job

PIXELS = read_digits(32).pixels
LABELS = read_digits(32).index["label"].to_numpy()
EPOCHS = 4

SPARED = CanonicalLoss(spared=np.arange(10) > 4, spared_probability=0.9)
WEIGHTED = CanonicalLoss(weights=np.linspace(0.1, 1.9, 10))
LOSSES = {
    "plain": LossSchedule(CanonicalLoss()),
    "drawing": LossSchedule(SPARED),
    "deferred": LossSchedule(SPARED, DeferredLoss(3, replace(SPARED, weights=WEIGHTED.weights))),
}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in OWN_ARCHITECTURES},
    # Its dropout draws from torch's own generator.
    "dropout": ("mobilenetv3_small_050", {"drop_rate": 0.2, "drop_path_rate": 0.2}),
}
SGD: dict[str, Any] = {
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "schedule": StepSchedule(kind="step", milestones=(2, 3), factor=0.1),
}


class StoppedError(Exception):
    """Simulates the end of a process."""


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save after every epoch."""
    monkeypatch.setattr(module, "MAX_INTERVAL_S", 0.0)


def train_until(
    trial: Trial, losses: LossSchedule, checkpoint: Checkpoint | None, last: int = EPOCHS
) -> TrainingResult:
    """Train on 60 digits, and stop as a killed process does once epoch ``last`` is done."""

    def stop(epoch: int, _: float) -> None:
        if epoch == last < EPOCHS:
            raise StoppedError

    torch.rand(3)  # what ran in this process before must not matter
    images = np.arange(60)
    validation = np.arange(1500, 1520)
    job = training_job(trial, losses, LABELS, images, validation)
    return train(job, PIXELS, None, stop, checkpoint)


def trial_of(
    make_trial: Callable[..., Trial],
    make_recipe: Callable[..., Recipe],
    network: str = "mobilenetv2_micro",
    **recipe: Any,
) -> Trial:
    architecture, options = NETWORKS[network]
    backbone = Backbone(name="net", label="Net", architecture=architecture, options=options)
    common = {"epochs": EPOCHS, "image_size": 32, "crop_padding": 2, "horizontal_flip": True}
    return make_trial(backbone=backbone, recipe=make_recipe(**common, **recipe))


@pytest.mark.parametrize("losses", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize(
    "recipe", [{}, SGD, {"precision": "bfloat16"}], ids=["adamw", "sgd", "bf16"]
)
def test_training_stopped_after_every_epoch_ends_with_the_same_bits(
    losses: LossSchedule,
    recipe: dict[str, Any],
    make_trial: Callable[..., Trial],
    make_recipe: Callable[..., Recipe],
    tmp_path: Path,
) -> None:
    trial = trial_of(make_trial, make_recipe, **recipe)
    whole = train_until(trial, losses, None)
    for last in range(1, EPOCHS):
        with pytest.raises(StoppedError):
            train_until(trial, losses, Checkpoint(tmp_path / "c", "t"), last)
    resumed = train_until(trial, losses, Checkpoint(tmp_path / "c", "t"))
    assert same_weights(whole, resumed)
    columns = ["epoch", "learning_rate", "train_loss", "validation_loss", "validation_acc1"]
    assert resumed.history[columns].equals(whole.history[columns])


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_resumes_with_the_same_bits(
    network: str,
    make_trial: Callable[..., Trial],
    make_recipe: Callable[..., Recipe],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    trial = trial_of(make_trial, make_recipe, network)
    whole = train_until(trial, LOSSES["plain"], None)
    with pytest.raises(StoppedError):
        train_until(trial, LOSSES["plain"], Checkpoint(tmp_path / "c", "t"), 2)
    with caplog.at_level(logging.INFO):
        resumed = train_until(trial, LOSSES["plain"], Checkpoint(tmp_path / "c", "the trial"))
    assert caplog.messages == ["the trial: resumes after epoch 2"]
    assert same_weights(whole, resumed)


def test_damaged_checkpoint_is_logged_and_the_training_restarts(
    make_trial: Callable[..., Trial],
    make_recipe: Callable[..., Recipe],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    trial = trial_of(make_trial, make_recipe)
    file = tmp_path / "c"
    with pytest.raises(StoppedError):
        train_until(trial, LOSSES["plain"], Checkpoint(file, "t"), 2)
    content = file.read_bytes()
    whole = train_until(trial, LOSSES["plain"], None)
    for damaged in (b"", b"nonsense", content[: len(content) // 2], content[100:]):
        file.write_bytes(damaged)
        caplog.clear()
        again = train_until(trial, LOSSES["plain"], Checkpoint(file, "the trial"))
        [message] = caplog.messages
        assert message.startswith(f"the trial: starts again, since {file} is damaged (")
        assert "\n" not in message
        assert same_weights(whole, again)


def test_no_flipped_bit_gives_another_state(tmp_path: Path) -> None:
    state = {"model": {"w": torch.arange(5.0)}, "history": [{"epoch": 1, "loss": 0.5}]}
    file = tmp_path / "c"
    Checkpoint(file, "t").save(state)
    content, refused = file.read_bytes(), 0
    for position in range(len(content)):
        file.write_bytes(with_flipped_bit(content, position, position % 8))
        refused += Checkpoint(file, "t").load() is None
    assert refused == len(content)


def test_a_resumed_training_counts_the_seconds_of_all_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.time", lambda: 1000 + now[0])
    first = Checkpoint(tmp_path / "c", "t")
    now[0] += 30
    first.save({"epoch": 1})
    now[0] += 7  # killed: what was done since is lost, and done again
    second = Checkpoint(tmp_path / "c", "t")
    second.load()
    assert second.seconds == 0  # it may start again
    second.resume_clock()
    now[0] += 5
    second.save({"epoch": 2})
    third = Checkpoint(tmp_path / "c", "t")
    third.load()
    third.resume_clock()
    now[0] += 1
    assert third.seconds == 30 + 5 + 1
    assert third.started == 1100


@pytest.mark.parametrize(
    ("other", "said"),
    [({"device": "cuda"}, "cuda in float32"), ({"number_format": "bfloat16"}, "cpu in bfloat16")],
)
def test_checkpoint_of_another_device_or_number_format_is_not_resumed(
    other: dict[str, str],
    said: str,
    make_trial: Callable[..., Trial],
    make_recipe: Callable[..., Recipe],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    trial = trial_of(make_trial, make_recipe)
    checkpoint = Checkpoint(tmp_path / "c", "t")
    with pytest.raises(StoppedError):
        train_until(trial, LOSSES["plain"], checkpoint, 2)
    saved = checkpoint.load()
    assert saved is not None
    checkpoint.save({**saved, **other})
    again = train_until(trial, LOSSES["plain"], checkpoint)
    assert caplog.messages == [
        f"t: starts again, since its checkpoint is from {said} and cannot be resumed on cpu in "
        "float32"
    ]
    assert same_weights(again, train_until(trial, LOSSES["plain"], None))


def test_full_disk_leaves_the_last_state_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = Checkpoint(tmp_path / "c", "t")
    checkpoint.save({"epoch": 1})

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    for step in ("longtail.learning.training.checkpoint.flush_to_disk", "pathlib.Path.write_bytes"):
        with monkeypatch.context() as patch:
            patch.setattr(step, full)
            with pytest.raises(OSError, match="No space left"):
                checkpoint.save({"epoch": 2})
        assert checkpoint.load() == {"epoch": 1}
        assert [file.name for file in tmp_path.iterdir()] == ["c"]


def test_saving_takes_two_percent_of_the_time_but_happens_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the pause is what is tested
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    checkpoint = Checkpoint(tmp_path / "c", "t")
    assert checkpoint.is_due()

    def save_in(seconds: float) -> None:
        def take_long(_: Path) -> None:
            now[0] += seconds

        monkeypatch.setattr(module, "flush_to_disk", take_long)
        checkpoint.save({})

    for cost, pause in ((0.2, 10), (5, 60)):
        save_in(cost)
        now[0] += pause - 0.01
        assert not checkpoint.is_due()
        now[0] += 0.02
        assert checkpoint.is_due()
