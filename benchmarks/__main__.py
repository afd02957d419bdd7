"""``make bench``: prints how this machine's times compare. See docs/explanation/performance.md."""

from __future__ import annotations

import argparse
import platform
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rich
import timm
import torch
from rich.table import Table

from benchmarks import machine, ours, usual
from benchmarks.roofline import fused_seconds, training_operations
from benchmarks.timing import ratio, seconds_of
from longtail import provenance
from longtail.learning import backbones
from longtail.learning.execution import Execution, describe_device
from longtail.parameters import Backbone, Classifier, CosineSchedule, RandAugment, Recipe

# The training images of CIFAR-100-LT at imbalance factor 100.
LONG_TAILED_IMAGES = 10_847
THESIS_NETWORKS = ("mobilenetv2_100", "resnetv2_50", "vit_base_patch16_224", "convnext_base")
RESNET32 = Backbone(name="resnet32", label="ResNet-32", architecture="resnet32")
# Enough that the synchronisation at the end of an epoch does not matter.
HARDWARE_BATCHES = 40
RECIPE = Recipe(
    epochs=200,
    batch_size=128,
    image_size=32,
    optimizer="sgd",
    learning_rate=0.1,
    momentum=0.9,
    weight_decay=2e-4,
    schedule=CosineSchedule(kind="cosine"),
    warmup_epochs=0,
    crop_padding=4,
    horizontal_flip=True,
    normalization="train_set",
    precision="float32",
    validate_every=0,
)


def main() -> None:
    """Measure, and print tables."""
    arguments = _arguments()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(arguments.threads)
    rich.print(
        f"{describe_device(device)}, {provenance.processor()}, Python {platform.python_version()}, "
        f"torch {torch.__version__}; {arguments.images:,} images, {arguments.rounds} rounds"
    )
    rich.print(_against_the_usual_loop(arguments.images, arguments.rounds, device))
    if device.type == "cuda":
        rich.print(_against_the_hardware(arguments.rounds, device))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--images", type=_at_least_one, default=LONG_TAILED_IMAGES)
    parser.add_argument("--rounds", type=_at_least_one, default=3)
    parser.add_argument("--threads", type=_at_least_one, default=torch.get_num_threads())
    return parser.parse_args()


def _at_least_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, found {number}")
    return number


def _against_the_usual_loop(count: int, rounds: int, device: torch.device) -> Table:
    """ResNet-32 on 32-pixel images in batches of 128: the same training steps in two loops."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    labels = generator.integers(0, 100, count)
    torch.manual_seed(0)
    model = backbones.build(RESNET32, Classifier(), 100, 32, None).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=2e-4)
    images = usual.UsualImages(pixels, labels)

    def batches() -> usual.Batches:
        return usual.usual_batches(images, RECIPE.batch_size, device)

    half = RECIPE.model_copy(update={"precision": "bfloat16"})
    execution = Execution(device, RECIPE.precision, compile="auto")
    forward = execution.forward(RECIPE.epochs * count // RECIPE.batch_size)
    varied = RECIPE.model_copy(update={"rand_augment": RandAugment(operations=2, magnitude=9)})
    full, mixed, randomly = (
        ours.prepare(RESNET32, recipe, pixels, labels, device, forward)
        for recipe in (RECIPE, half, varied)
    )
    with TemporaryDirectory() as folder:
        file = Path(folder) / "images.npy"
        np.save(file, pixels)
        mapped = np.load(file, mmap_mode="r")
        read = ours.prepare(RESNET32, RECIPE, mapped, labels, device, forward, streaming=True)
        seconds = seconds_of(
            {
                "usual data": lambda: list(batches()),
                "our data": full.data,
                "our data (streamed)": read.data,
                "our data (RandAugment)": randomly.data,
                "usual epoch": lambda: usual.usual_epoch(model, optimizer, batches()),
                "our epoch": full.epoch,
                "our epoch (streamed)": read.epoch,
                "our model": full.model,
                "our epoch (bf16)": mixed.epoch,
                "our model (bf16)": mixed.model,
            },
            *(rounds, device, "Timing ResNet-32"),
        )
    table = Table(title="ResNet-32, 32 pixels, batches of 128", title_justify="left")
    for heading in ("", "s per epoch", "images/s", "speed-up", "outside the model"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=not heading)
    for name, times in seconds.items():
        usual_times = seconds["usual data" if "data" in name else "usual epoch"]
        model_name = name.replace("epoch", "model").replace(" (streamed)", "")
        is_our_epoch = name.startswith("our epoch")
        table.add_row(
            name,
            f"{median(times):.3f}",
            f"{count / median(times):,.0f}",
            f"{ratio(usual_times, times):.1f}" if "model" not in name else "",
            f"{1 - ratio(seconds[model_name], times):.1%}" if is_our_epoch else "",
        )
    return table


def _against_the_hardware(rounds: int, device: torch.device) -> Table:
    """The thesis' networks, fine-tuned at two image sizes, against the limits of the GPU."""
    flops_a_second, bytes_a_second = machine.matrix_rate(device), machine.memory_rate(device)
    table = Table(
        title=f"The thesis' networks, bfloat16, batches of {RECIPE.batch_size}. Measured limits: "
        f"{flops_a_second / 1e12:.0f} TFLOP/s, {bytes_a_second / 1e12:.2f} TB/s",
        title_justify="left",
    )
    for heading in ("", "pixels", "images/s", "of the matrix rate", "of the fused roofline"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=not heading)
    generator = np.random.default_rng(0)
    count = HARDWARE_BATCHES * RECIPE.batch_size
    pixels = generator.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    labels = generator.integers(0, 100, count)
    forward = Execution(device, RECIPE.precision, compile="auto").forward(10**6)
    for name in THESIS_NETWORKS:
        for size in (128, 224):
            options: dict[str, Any] = {"img_size": size} if name.startswith("vit") else {}
            backbone = Backbone(name="net", label=name, architecture=name, options=options)
            recipe = RECIPE.model_copy(
                update={"image_size": size, "optimizer": "adamw", "precision": "bfloat16"}
            )
            training = ours.prepare(backbone, recipe, pixels, labels, device, forward)
            times = seconds_of({"": training.epoch}, rounds, device, f"{name}, {size} px")[""]
            work = training_operations(
                partial(timm.create_model, name, num_classes=100, **options),
                (RECIPE.batch_size, 3, size, size),
            )
            seconds = median(times) / HARDWARE_BATCHES
            flops = sum(operation.flops for operation in work)
            table.add_row(
                *(name, str(size), f"{RECIPE.batch_size / seconds:,.0f}"),
                f"{flops / seconds / flops_a_second:.0%}",
                f"{fused_seconds(work, flops_a_second, bytes_a_second) / seconds:.0%}",
            )
    return table


if __name__ == "__main__":
    main()
