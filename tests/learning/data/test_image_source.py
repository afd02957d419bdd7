from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from longtail.arrays import UInt8Array
from longtail.errors import DataError, TrainingError
from longtail.learning.augmentation.epoch import Augmentation, mean_and_std, shuffled
from longtail.learning.data import image_source as module, memory
from longtail.learning.data.image_source import (
    ResidentImages,
    StreamedImages,
    read_batch,
    to_device,
)
from longtail.learning.inference.cached_logits import compute_logits
from longtail.learning.inference.trained_model import TrainedModel
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.train import TrainingResult, train
from longtail.parameters import CanonicalLoss, Compute, Recipe, Trial
from longtail.trials.loss_schedule import LossSchedule
from tests.learning.training.jobs import training_job

CPU = torch.device("cpu")
MakeRecipe = Callable[..., Recipe]
MakeTrial = Callable[..., Trial]

EVERYTHING: dict[str, Any] = {
    "epochs": 2,
    "horizontal_flip": True,
    "random_resized_crop": {"scale": (0.5, 1), "ratio": (0.75, 1.25)},
    "rotation": 15.0,
    "auto_augment": "cifar10",
    "rand_augment": {"operations": 2, "magnitude": 9},
    "random_erasing": {"probability": 0.5, "scale": (0.1, 0.3), "ratio": (0.5, 2)},
    "cutout": 6,
    "mixing": {"kind": "cutmix", "alpha": 1},
    "ema_decay": 0.9,
}


@pytest.fixture
def mapped(tmp_path: Path) -> UInt8Array:
    """Sixty images of 16 pixels, in a file that is mapped."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", pixels)
    array: UInt8Array = np.load(tmp_path / "images.npy", mmap_mode="r")
    return array


def readers() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("longtail-prefetch")]


@pytest.mark.parametrize("as_file", [True, False])
def test_streamed_batches_are_the_resident_ones(mapped: UInt8Array, as_file: bool) -> None:
    pixels = mapped if as_file else np.array(mapped)
    chosen = np.array([7, 3, 50, 3, 0, 59])
    numbers = [torch.tensor([5, 0, 1]), torch.tensor([2, 4])]
    resident = ResidentImages(to_device(pixels, chosen, CPU))
    streamed = StreamedImages(pixels, chosen, CPU)
    assert resident.shape == streamed.shape == (6, 3, 16, 16)
    with resident.batches(numbers) as expected, streamed.batches(numbers) as found:
        for a, b, batch in zip(expected, found, numbers, strict=True):
            assert torch.equal(a, b) and a.stride() == b.stride() and b.dtype == torch.uint8
            assert np.array_equal(b.numpy(), pixels[chosen[batch]].transpose(0, 3, 1, 2))


def test_part_of_a_mapped_array_is_read_as_an_array(mapped: UInt8Array) -> None:
    part = mapped[10:20]  # which knows the file, but not where in it it begins
    assert np.array_equal(
        read_batch(StreamedImages(part, np.array([2, 9]), CPU), torch.tensor([0, 1])).numpy(),
        part[[2, 9]].transpose(0, 3, 1, 2),
    )


def test_means_and_deviations_of_parts_are_those_of_all(
    mapped: UInt8Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = np.arange(5, 55)
    whole = mean_and_std(to_device(mapped, chosen, CPU))
    monkeypatch.setattr(module, "PART_BYTES", 7 * 16 * 16 * 3)
    parts = mean_and_std(StreamedImages(mapped, chosen, CPU))
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_copying_part_by_part_copies_all(
    mapped: UInt8Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PART_BYTES", 7 * 16 * 16 * 3)
    chosen = np.arange(59, -1, -1)
    assert np.array_equal(
        to_device(mapped, chosen, CPU).numpy(), mapped[::-1].transpose(0, 3, 1, 2)
    )


def test_augmented_epochs_are_bit_identical(mapped: UInt8Array, make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(**EVERYTHING)
    epochs = []
    for source in (
        ResidentImages(to_device(mapped, np.arange(60), CPU)),
        StreamedImages(mapped, np.arange(60), CPU),
    ):
        generator = torch.Generator().manual_seed(3)
        batches = shuffled(60, 16, generator, CPU)
        epochs.append(list(Augmentation(recipe).epoch(source, batches, generator)))
    assert all(torch.equal(a, b) for a, b in zip(*epochs, strict=True))


def train_on(
    pixels: UInt8Array, trial: Trial, checkpoint: Checkpoint | None = None, stop: Any = None
) -> TrainingResult:
    labels = np.arange(60) % 3
    losses = LossSchedule(CanonicalLoss())
    job = training_job(trial, losses, labels, np.arange(45), np.arange(45, 60), classes=3)
    return train(job, pixels, None, stop or (lambda *_: None), checkpoint)


def compute(images: str) -> Compute:
    return Compute.model_validate(
        {"device": "cpu", "threads": 1, "workers": 1, "compile": "never", "images": images}
    )


@pytest.mark.parametrize(
    "changes", [{"epochs": 2, "crop_padding": 2}, EVERYTHING], ids=["plain", "all"]
)
def test_weights_history_and_logits_are_bit_identical(
    mapped: UInt8Array, make_trial: MakeTrial, make_recipe: MakeRecipe, changes: Any, tmp_path: Path
) -> None:
    recipe = make_recipe(**changes)
    trials = [make_trial(recipe=recipe, compute=compute(i)) for i in ("resident", "streaming")]
    a, b = (train_on(mapped, trial) for trial in trials)
    assert all(torch.equal(a.weights[name], b.weights[name]) for name in a.weights)
    columns = ["train_loss", "validation_loss", "validation_acc1"]
    assert a.history[columns].equals(b.history[columns])
    assert (a.environment["images"], b.environment["images"]) == ("resident", "streaming")
    save_file(a.weights, tmp_path / "m")
    models = [TrainedModel(tmp_path / "m", trial, 3) for trial in trials]
    first, second = (compute_logits(model, mapped, np.arange(9)) for model in models)
    assert np.array_equal(first, second)


def test_streamed_training_resumes_from_its_checkpoint(
    mapped: UInt8Array,
    make_trial: MakeTrial,
    make_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("longtail.learning.training.checkpoint.MAX_INTERVAL_S", 0.0)
    trial = make_trial(
        recipe=make_recipe(**EVERYTHING | {"epochs": 4}), compute=compute("streaming")
    )
    whole = train_on(mapped, trial)

    def stop(epoch: int, _: float) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_on(mapped, trial, Checkpoint(tmp_path / "c", "t"), stop)
    assert readers() == []
    resumed = train_on(mapped, trial, Checkpoint(tmp_path / "c", "t"))
    assert all(torch.equal(whole.weights[name], resumed.weights[name]) for name in whole.weights)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda file: file.unlink(), "No such file or directory"),
        (lambda file: os.truncate(file, 20_000), r"it ends after 20,000 bytes"),
    ],
    ids=["gone", "cut off"],
)
def test_missing_file_is_reported_in_one_message(
    harm: Callable[[Path], Any],
    reason: str,
    mapped: UInt8Array,
    make_trial: MakeTrial,
    make_recipe: MakeRecipe,
    tmp_path: Path,
) -> None:
    trial = make_trial(recipe=make_recipe(epochs=3), compute=compute("streaming"))
    with pytest.raises(DataError, match=rf"cannot be read from .*images\.npy: {reason}.*kedro run"):
        train_on(mapped, trial, stop=lambda *_: harm(tmp_path / "images.npy"))
    assert readers() == []


def test_reader_ends_when_a_step_fails(
    mapped: UInt8Array, make_trial: MakeTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        assert len(readers()) == 1
        raise RuntimeError("in a step")

    monkeypatch.setattr("longtail.learning.training.fit.plain_forward", fail)
    monkeypatch.setattr("longtail.learning.execution.Execution.forward", lambda *_: fail)
    monkeypatch.setattr(module, "BATCHES_AHEAD", 1)
    with pytest.raises(RuntimeError, match="in a step"):
        train_on(mapped, make_trial(compute=compute("streaming")))
    assert readers() == []


def test_images_too_many_for_a_gpu_name_the_parameter(
    mapped: UInt8Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "empty", full)
    with pytest.raises(TrainingError, match=r"60 images.*set compute\.images to streaming"):
        to_device(mapped, np.arange(60), CPU)


@pytest.mark.parametrize(("free", "resident"), [(45 * 2 * 768 + 30 * 768, True), (45 * 768, False)])
def test_size_decides_and_is_logged(
    free: int,
    resident: bool,
    mapped: UInt8Array,
    make_trial: MakeTrial,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda _: free)
    with caplog.at_level(logging.DEBUG, logger=memory.__name__):
        outcome = train_on(mapped, make_trial(compute=compute("auto")))
    assert outcome.environment["images"] == ("resident" if resident else "streaming")
    [message] = caplog.messages
    assert f"images are {'resident' if resident else 'streaming'}: they take 46.1 kB" in message


def test_trials_side_by_side_share_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda _: 100)
    four = compute("auto").model_copy(update={"workers": 4})
    assert [memory.is_resident(four, size, CPU, "t") for size in (12, 13)] == [True, False]
    cores = compute("auto").model_copy(update={"workers": None, "threads": 2})
    monkeypatch.setattr(memory, "usable_cores", lambda: 8)
    assert memory.trials_at_once(cores) == 4


def test_container_limit_counts_without_cached_pages_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    unlimited = memory.free_bytes(CPU)
    assert unlimited > 1 << 20
    for name, text in (
        ("memory.max", "5000\n"),
        ("memory.current", "4000\n"),
        ("memory.stat", "anon 1000\ninactive_file 2500\n"),
    ):
        (tmp_path / name).write_text(text)
    assert memory.free_bytes(CPU) == 3500
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_bytes(CPU) > 1 << 20


MEASURE = """
import sys
from pathlib import Path
import numpy as np, torch
from longtail.learning.augmentation.epoch import mean_and_std, shuffled
from longtail.learning.data.image_source import StreamedImages, to_device
pixels = np.load(sys.argv[1], mmap_mode="r")
numbers, cpu = np.arange(len(pixels)), torch.device("cpu")
batches = shuffled(len(pixels), 64, torch.Generator().manual_seed(0), cpu)
mean_and_std(torch.zeros(2, 3, 4, 4, dtype=torch.uint8))

def kilobytes(key):
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith(key)).split()[1])

Path("/proc/self/clear_refs").write_text("5")  # forget the peak, which importing has made
before = kilobytes("VmRSS")
if sys.argv[2] == "streamed":
    images = StreamedImages(pixels, numbers, cpu)
    mean_and_std(images)
    with images.batches(batches) as read:
        for batch in read:
            batch.float()
else:
    to_device(pixels, numbers, cpu)
print(kilobytes("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux' count of the memory")
def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    file, megabytes = tmp_path / "large.npy", 600
    shape = (megabytes * 1_000_000 // (128 * 128 * 3), 128, 128, 3)
    np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape).flush()

    def grown(how: str) -> float:
        command = [sys.executable, "-c", MEASURE, str(file), how]
        return float(subprocess.run(command, capture_output=True, check=True).stdout) / 1000

    assert grown("resident") > megabytes
    assert grown("streamed") < megabytes / 3
