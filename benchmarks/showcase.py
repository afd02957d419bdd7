"""A picture of what each augmentation does: ``python -m benchmarks.showcase FOLDER FILE``."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageOps
from torch import Tensor

from benchmarks.__main__ import RECIPE
from longtail.learning.augmentation.epoch import Augmentation
from longtail.learning.augmentation.mixup_cutmix import MixupCutmix
from longtail.learning.augmentation.rand_augment import OPERATIONS
from longtail.parameters import Mixing, Recipe

SIDE, PHOTOGRAPHS = 96, 6
COLOURS = 128
# Full strength to both sides, where an operation has sides.
STRENGTHS = (-1.0, 1.0)
PLAIN = {**RECIPE.model_dump(), "image_size": SIDE, "crop_padding": 0, "horizontal_flip": False}
ROWS: dict[str, dict[str, Any]] = {
    "crop_padding: 12\nhorizontal_flip": {"crop_padding": 12, "horizontal_flip": True},
    "random_resized_crop\nscale 0.35 to 1": {
        "random_resized_crop": {"scale": (0.35, 1), "ratio": (0.75, 4 / 3)}
    },
    "rand_augment\n2 operations, magnitude 9": {"rand_augment": {"operations": 2, "magnitude": 9}},
    "random_erasing\nprobability 1": {
        "random_erasing": {"probability": 1, "scale": (0.05, 0.33), "ratio": (0.3, 3.3)}
    },
    "mixing: mixup\nalpha 1": {"mixing": {"kind": "mixup", "alpha": 1}},
    "mixing: cutmix\nalpha 1": {"mixing": {"kind": "cutmix", "alpha": 1}},
}


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of folders of photographs, one a class")
    parser.add_argument("file", type=Path, help="the picture to write")
    arguments = parser.parse_args()
    images = _photographs(arguments.folder)
    rows = {"as stored": images.float()}
    rows |= {label: _augmented(images, changes) for label, changes in ROWS.items()}
    single = [_operation(images[:1].float(), number) for number in range(len(OPERATIONS))]
    _draw(rows, single, arguments.file)


def _photographs(folder: Path) -> Tensor:
    """The first photograph of each of the first classes, uint8 (photographs, 3, side, side)."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir())[:PHOTOGRAPHS]
    files = [min(path.iterdir()) for path in classes]
    squares = [ImageOps.fit(Image.open(file).convert("RGB"), (SIDE, SIDE)) for file in files]
    return torch.from_numpy(np.stack([np.array(square) for square in squares])).permute(0, 3, 1, 2)


def _augmented(images: Tensor, changes: dict[str, Any]) -> Tensor:
    recipe = Recipe.model_validate({**PLAIN, **changes})
    generator = torch.Generator().manual_seed(1)
    batches = [torch.arange(len(images))]
    [shown] = Augmentation(recipe).epoch(images.contiguous(), batches, generator)
    if recipe.mixing is None:
        return shown
    # Mixing draws one share per batch: mixing each image in a batch of two shows several.
    return torch.cat([_mixed(shown, recipe.mixing, number) for number in range(len(shown))])


def _mixed(images: Tensor, mixing: Mixing, number: int) -> Tensor:
    generator = torch.Generator().manual_seed(number)
    mixer = MixupCutmix(mixing, 1, SIDE, generator, images.device)
    return mixer.images(images, images.roll(1, 0), 0)[number : number + 1]


def _operation(image: Tensor, number: int) -> tuple[str, list[Tensor]]:
    operation, sided = OPERATIONS[number]
    strengths = STRENGTHS if sided else STRENGTHS[1:]
    shown = [operation(image, torch.tensor([strength]))[0] for strength in strengths]
    return operation.__name__, shown


def _draw(rows: dict[str, Tensor], single: list[tuple[str, list[Tensor]]], file: Path) -> None:
    tiles = [(name, tile) for name, shown in single for tile in shown]
    lines = len(rows) + -(-len(tiles) // PHOTOGRAPHS)
    figure = Figure(figsize=(PHOTOGRAPHS + 2, 1.18 * lines), dpi=72)
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, PHOTOGRAPHS)
    for axis in axes.flat:
        axis.axis("off")
    for line, (label, images) in zip(axes, rows.items(), strict=False):
        line[0].text(-0.1, 0.5, label, transform=line[0].transAxes, ha="right", va="center", size=8)
        for axis, image in zip(line, images, strict=True):
            axis.imshow(_shown(image))
    for axis, (name, image) in zip(axes[len(rows) :].flat, tiles, strict=False):
        axis.imshow(_shown(image))
        axis.set_title(name, size=7, pad=2)
    axes[len(rows)][0].text(
        *(-0.1, 0.5, "each operation of\nrand_augment at\nfull strength"),
        **{"transform": axes[len(rows)][0].transAxes, "ha": "right", "va": "center", "size": 8},
    )
    figure.subplots_adjust(left=0.24, right=0.995, top=0.99, bottom=0.01, wspace=0.03, hspace=0.14)
    buffer = io.BytesIO()
    figure.savefig(buffer, metadata={"Software": None})
    # A palette makes a file of photographs a third as large.
    Image.open(buffer).convert("RGB").quantize(COLOURS).save(file, optimize=True)


def _shown(image: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    pixels: np.ndarray[Any, np.dtype[np.uint8]]
    pixels = image.round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return pixels


if __name__ == "__main__":
    main()
