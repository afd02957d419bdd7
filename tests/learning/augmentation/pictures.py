"""A picture for tests of augmentation, as Pillow has it and as a tensor."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

HEIGHT, WIDTH = 40, 60


def picture() -> Image.Image:
    """A smooth picture of colours, with one sharp corner, that is not square."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    channels = [
        128 + 90 * np.sin(x / 9) * np.cos(y / 7),
        40 + 3 * y,
        200 - 2 * x + 10 * np.sin(y / 3),
    ]
    pixels = np.stack(channels, axis=2).clip(0, 255).astype(np.uint8)
    pixels[5:12, 30:45] = [250, 20, 60]
    return Image.fromarray(pixels)


def tensor(image: Image.Image) -> Tensor:
    """Float values 0..255 of shape (1, 3, height, width)."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float()[None]
