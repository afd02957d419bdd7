"""Naming photographs beside a plain timm loop: ``python -m benchmarks.naming FOLDER``.

Both use a MobileNetV2 with the same number of classes and random weights. The plain loop is that of
timm's documentation: its transforms, in the processes of a DataLoader, and batches of 32. Ours
reads, hashes and decodes the photographs, predicts, and draws the thumbnails of the page.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import rich
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.__main__ import RECIPE
from benchmarks.timing import Timed, ratio, seconds_of
from longtail.arrays import Float32Array
from longtail.learning.backbones import build_for_trial
from longtail.learning.inference.trained_model import Predictor, TrainedModel, images_per_chunk
from longtail.parameters import Backbone, Compute, Method, Recipe, Softmax, Trial
from longtail.provenance import usable_cores
from longtail.sources.photographs import (
    Photographs,
    checksums,
    decode_in_chunks,
    find_photographs,
    thumbnails,
)

ARCHITECTURE, CLASSES, SIDE, BATCH = "mobilenetv2_100", 200, 224, 32


class Opened(Dataset[Tensor]):
    """Photographs as the transforms of timm give them."""

    def __init__(self, files: list[Path], transform: Any) -> None:
        self._files, self._transform = files, transform

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, position: int) -> Tensor:
        with Image.open(self._files[position]) as image:
            transformed: Tensor = self._transform(image.convert("RGB"))
        return transformed


def plain_loop(files: list[Path]) -> Timed:
    """Name the files with timm alone."""
    model = timm.create_model(ARCHITECTURE, pretrained=False, num_classes=CLASSES).eval()
    config = resolve_data_config({}, model=model)  # type: ignore[no-untyped-call]
    opened = Opened(files, create_transform(**config))

    @torch.inference_mode()
    def named() -> list[int]:
        torch.set_num_threads(usable_cores())
        batches = DataLoader(opened, batch_size=BATCH, num_workers=usable_cores())
        return [int(answer) for batch in batches for answer in model(batch).argmax(1)]

    return named


def a_predictor(folder: Path) -> Predictor:
    """A model of random weights, stored and loaded as a trained one."""
    recipe = Recipe.model_validate(
        {**RECIPE.model_dump(), "image_size": SIDE, "batch_size": BATCH, "crop_padding": 0}
    )
    trial = Trial(
        dataset="photographs",
        train_set="natural",
        backbone=Backbone(name="network", label="Network", architecture=ARCHITECTURE),
        method=Method(name="softmax", label="Softmax", loss=Softmax(name="softmax")),
        seed=0,
        recipe=recipe,
        compute=Compute(device="cpu", threads=1, workers=None, compile="never"),
    )
    file = folder / "weights.safetensors"
    save_file(build_for_trial(trial, CLASSES, None).state_dict(), file)
    return Predictor(TrainedModel(file, trial, CLASSES))


def logits_of(photographs: Photographs, predictor: Predictor) -> Float32Array:
    """The logits of all photographs, decoded in chunks."""
    torch.set_num_threads(1)
    files = list(photographs.files.values())
    chunks = decode_in_chunks(files, SIDE, images_per_chunk(SIDE), "Naming", photographs.limits)
    parts = [
        predictor.logits(np.stack([each for each in chunk if not isinstance(each, str)]))
        for chunk in chunks
    ]
    return np.concatenate(parts)


def main() -> None:
    """Print the seconds and photographs per second of each part, and the ratio to the loop."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.naming", description=__doc__)
    parser.add_argument("folder", help="of photographs")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    photographs = find_photographs(arguments.folder)
    files = [Path(file.container, *file.parts) for file in photographs.files.values()]
    with tempfile.TemporaryDirectory() as folder:
        predictor = a_predictor(Path(folder))
        contenders: dict[str, Timed] = {
            "plain timm loop": plain_loop(files),
            "checksums": lambda: checksums(photographs.files),
            "decoding and model": lambda: logits_of(photographs, predictor),
            "thumbnails of the page": lambda: thumbnails(photographs.files, photographs.limits),
        }
        seconds = seconds_of(contenders, arguments.rounds, torch.device("cpu"), "Naming")
    names = list(contenders)
    ours = [sum(of) for of in zip(*(seconds[name] for name in names[1:]), strict=True)]
    for name, of in {**seconds, "ours, all parts": ours}.items():
        middle = statistics.median(of)
        rich.print(f"| {name} | {middle:.1f} | {len(files) / middle:,.0f} |")
    rich.print(f"Names: {ratio(seconds[names[0]], seconds[names[2]]):.2f} times as fast")
    rich.print(f"All parts: {ratio(seconds[names[0]], ours):.2f} times as fast")


if __name__ == "__main__":
    main()
