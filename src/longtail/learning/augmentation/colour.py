"""Operations on colours, on batches, one strength per image.

All take float images (batch, 3, height, width) of 0..255 and strengths of shape (batch,): from
-1 to 1 for signed operations, else from 0 to 1. Strength 0 leaves an image unchanged.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# The weights of red, green and blue in luma (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)
# At full strength, an image is blended with a factor of 1 plus or minus this.
MAX_CHANGE = 0.9
# The number of bits, out of 8, that posterize drops at full strength.
DROPPED_BITS = 4


def brightness(images: Tensor, strengths: Tensor) -> Tensor:
    """Brighten or darken: blend with black."""
    return _blend(torch.zeros_like(images), images, strengths)


def contrast(images: Tensor, strengths: Tensor) -> Tensor:
    """Raise or lower the contrast: blend with the image's mean grey."""
    return _blend(_grey(images).mean((2, 3), keepdim=True), images, strengths)


def saturation(images: Tensor, strengths: Tensor) -> Tensor:
    """Raise or lower the saturation: blend with the image in grey."""
    return _blend(_grey(images), images, strengths)


def hue(images: Tensor, strengths: Tensor) -> Tensor:
    """Rotate the hue, by half of the colour circle at full strength; value (HSV) is unchanged.

    Hues are counted in sixths of the circle from red. The conversion back is that of Smith 1978
    (doi 10.1145/965139.807361), without case distinctions.
    """
    red, green, blue = images.unbind(1)
    high, low = images.amax(1), images.amin(1)
    span = high - low
    # Grey has no hue: with any hue, a span of 0 leaves it unchanged.
    divisor = torch.where(span > 0, span, 1)
    of_green, of_blue = 2 + (blue - red) / divisor, 4 + (red - green) / divisor
    sixths = torch.where(green == high, of_green, of_blue)
    sixths = torch.where(red == high, (green - blue) / divisor, sixths)
    turned = (sixths + 3 * strengths[:, None, None])[:, None]
    offsets = images.new_tensor([5, 3, 1])[:, None, None]
    distance = (turned + offsets) % 6
    share = torch.minimum(distance, 4 - distance).clamp(0, 1)
    return high[:, None] - span[:, None] * share


def sharpness(images: Tensor, strengths: Tensor) -> Tensor:
    """Sharpen or blur: blend with the smoothed image. The outermost pixels stay unchanged."""
    kernel = images.new_tensor([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    smooth = images.clone()
    smooth[:, :, 1:-1, 1:-1] = F.conv2d(images, kernel.expand(3, 1, 3, 3), groups=3)
    return _blend(smooth, images, strengths)


def posterize(images: Tensor, strengths: Tensor) -> Tensor:
    """Reduce the levels per channel: 256 at strength 0, 16 at strength 1."""
    step = 2 ** (DROPPED_BITS * strengths).round()[:, None, None, None]
    return torch.where(step > 1, (images / step).floor() * step, images)


def solarize(images: Tensor, strengths: Tensor) -> Tensor:
    """Invert values at or above a threshold, from 256 at strength 0 to 0 at strength 1."""
    threshold = 256 * (1 - strengths)[:, None, None, None]
    return torch.where(images >= threshold, 255 - images, images)


def invert(images: Tensor, strengths: Tensor) -> Tensor:
    """Blend with the negative."""
    return torch.lerp(images, 255 - images, _per_image(strengths))


def auto_contrast(images: Tensor, strengths: Tensor) -> Tensor:
    """Blend with the image whose channels are stretched to 0..255."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    stretched = (images - low) * (255 / (high - low).clamp_min(1))
    return torch.lerp(images, torch.where(high > low, stretched, images), _per_image(strengths))


def equalize(images: Tensor, strengths: Tensor) -> Tensor:
    """Blend with the image whose channels have equalized histograms, as in Pillow."""
    values = images.round().clamp(0, 255).long().flatten(2)
    counts = torch.zeros((*values.shape[:2], 256), dtype=torch.int64, device=images.device)
    counts.scatter_add_(2, values, torch.ones_like(values))
    last = counts.gather(2, values.amax(2, keepdim=True))
    step = (values.shape[2] - last) // 255
    before = counts.cumsum(2) - counts
    table = ((before + step // 2) // step.clamp_min(1)).clamp(0, 255)
    even = table.gather(2, values).view_as(images).float()
    # A channel with too few different values stays unchanged.
    even = torch.where(step[..., None] > 0, even, images)
    return torch.lerp(images, even, _per_image(strengths))


def _blend(other: Tensor, images: Tensor, strengths: Tensor) -> Tensor:
    factor = 1 + MAX_CHANGE * _per_image(strengths)
    return torch.lerp(other.expand_as(images), images, factor).clamp(0, 255)


def _grey(images: Tensor) -> Tensor:
    weights = images.new_tensor(LUMA)[:, None, None]
    return (images * weights).sum(1, keepdim=True)


def _per_image(strengths: Tensor) -> Tensor:
    return strengths[:, None, None, None]
