"""Whether two images are one photograph: the correlation of their details after alignment.

A photograph that was cropped, resized, rotated a little, brightened or compressed again still has
the same details in the same places. Another individual in the same pose has the same outline and
pattern, but other details. The alignment is a similarity (shift, rotation, scale), found by the
inverse compositional algorithm (Baker and Matthews 2004) from coarse to fine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy
from PIL import Image

from longtail.arrays import Float32Array, UInt8Array

# Sides of the grey images that are aligned, in pixels, and the iterations on each.
PYRAMID_SIDES, ITERATIONS = (16, 32, 64), (12, 8, 6)
# Details are what remains without this much blur: a standard deviation, in pixels.
BLUR = 1.0
# Correlations of details on the middle level below which the last level is not tried, and on the
# last level from which two images are one photograph. Measured by benchmarks/near_duplicates.py.
PROMISING, SAME = 0.5, 0.82
# Images must overlap by this share of the first.
LEAST_OVERLAP = 0.4
# Details weaker than half a grey level are noise: images without any correlate fully.
NOISE = 0.25

Complex = npt.NDArray[np.complex64]


# An image in grey at each of ``PYRAMID_SIDES``: uint8 (side, side).
GreyPyramid = tuple[UInt8Array, ...]


def grey_pyramid(pixels: UInt8Array) -> GreyPyramid:
    """The pyramid of an image, uint8 (height, width, 3)."""
    grey = Image.fromarray(pixels).convert("L")
    resized = (grey.resize((side, side), Image.Resampling.BILINEAR) for side in PYRAMID_SIDES)
    return tuple(np.asarray(level) for level in resized)


def detail_correlations(
    first: Sequence[GreyPyramid], second: Sequence[GreyPyramid]
) -> Float32Array:
    """The correlation of the details of each pair of images, after alignment.

    Returns:
        From -1 to 1, (pairs,). Of pairs that are clearly different it is that of a coarser level.
    """
    pairs = _Pairs(np.ones(len(first), np.complex64), np.zeros(len(first), np.complex64))
    correlations = np.zeros(len(first), dtype=np.float32)
    remaining = np.arange(len(first))
    for level, iterations in enumerate(ITERATIONS):
        template, image = (
            np.stack([of[pair][level] for pair in remaining.tolist()]).astype(np.float32)
            for of in (first, second)
        )
        pairs = _align(template, image, pairs, iterations)
        if level:
            correlations[remaining] = _correlation(template, image, pairs)
            promising = correlations[remaining] >= PROMISING
            remaining, pairs = remaining[promising], pairs[promising]
        if not len(remaining):
            break
    return correlations


@dataclass(frozen=True)
class _Pairs:
    """Similarities ``z -> scale * z + shift`` of the complex plane, one for each pair of images.

    They lead from places in the first image to those in the second; both have corners at -1-1j and
    1+1j.
    """

    scale: Complex
    shift: Complex

    def __getitem__(self, which: Any) -> _Pairs:
        return _Pairs(self.scale[which], self.shift[which])

    def after_inverse_of(self, scale: Complex, shift: Complex) -> _Pairs:
        """The composition with the inverse of other similarities."""
        scaled = self.scale / scale
        return _Pairs(scaled, self.shift - scaled * shift)

    def warp(self, image: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Each second image seen from the first, (pairs, side * side), and where it is seen."""
        count, side = len(image), image.shape[1]
        place = self.scale[:, None] * _plane(side) + self.shift[:, None]
        x, y = (((part + 1) * (side / 2) - 0.5) for part in (place.real, place.imag))
        inside = ((x >= 0) & (x <= side - 1) & (y >= 0) & (y <= side - 1)).astype(np.float32)
        x, y = (np.clip(part, 0, side - 1.001) for part in (x, y))
        left, top = x.astype(np.int32), y.astype(np.int32)
        right, below = x - left, y - top
        corner = top * side + left + (np.arange(count, dtype=np.int32) * side * side)[:, None]
        flat = image.ravel()
        upper = flat[corner] * (1 - right) + flat[corner + 1] * right
        lower = flat[corner + side] * (1 - right) + flat[corner + side + 1] * right
        return upper * (1 - below) + lower * below, inside


def _plane(side: int) -> Complex:
    """The places of pixels in the complex plane, (side * side,)."""
    centres = (np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1
    return (centres[None, :] + 1j * centres[:, None]).astype(np.complex64).ravel()


def _align(template: Float32Array, image: Float32Array, pairs: _Pairs, iterations: int) -> _Pairs:
    """Improve the similarities of pairs on one level, both (pairs, side, side)."""
    count, side = len(template), template.shape[1]
    down, across = np.gradient(template, 2 / side, axis=(1, 2))
    gradient = (across - 1j * down).reshape(count, -1)
    by_scale = gradient * _plane(side)
    # How the template changes with the real and the imaginary part of scale and of shift.
    slopes = np.stack([by_scale.real, -by_scale.imag, gradient.real, -gradient.imag], axis=1)
    slopes = slopes.astype(np.float32)
    products = slopes @ slopes.transpose(0, 2, 1)
    damping = 1e-3 * np.trace(products, axis1=1, axis2=2)[:, None, None] + 1e-6
    inverse = np.linalg.inv(products + damping * np.eye(4, dtype=np.float32))
    flat = template.reshape(count, -1)
    for _ in range(iterations):
        seen, inside = pairs.warp(image)
        wanted, found = _centred(flat, inside), _centred(seen, inside)
        # The brightness and the contrast of the two may differ.
        gain = np.sqrt(_energy(wanted) / _energy(found)).clip(0.2, 5)
        step = inverse @ (slopes @ (gain[:, None] * found - wanted)[:, :, None])
        step = step[:, :, 0].clip(-0.15, 0.15)
        pairs = pairs.after_inverse_of(
            (1 + step[:, 0] + 1j * step[:, 1]).astype(np.complex64),
            (step[:, 2] + 1j * step[:, 3]).astype(np.complex64),
        )
    return pairs


def _centred(values: Float32Array, inside: Float32Array) -> Float32Array:
    """Values minus their mean inside, 0 outside; both (pairs, pixels)."""
    area = inside.sum(axis=1, keepdims=True) + 1e-6
    return (values - (values * inside).sum(axis=1, keepdims=True) / area) * inside


def _energy(values: Float32Array) -> Float32Array:
    return np.einsum("pi,pi->p", values, values) + 1e-6


def _correlation(template: Float32Array, image: Float32Array, pairs: _Pairs) -> Float32Array:
    """The correlation of details where both images are seen; 0 where they hardly overlap."""
    seen, inside = pairs.warp(image)
    shape = template.shape
    blur = (0, BLUR, BLUR)
    weight = scipy.ndimage.gaussian_filter(inside.reshape(shape), blur, mode="constant") + 1e-6

    def details(grey: Float32Array) -> Float32Array:
        blurred = scipy.ndimage.gaussian_filter(grey * inside.reshape(shape), blur, mode="constant")
        return _centred((grey - blurred / weight).reshape(len(grey), -1), inside)

    first, second = details(template), details(seen.reshape(shape))
    area = inside.sum(axis=1)
    noise = NOISE * area
    correlation = (np.einsum("pi,pi->p", first, second) + noise) / np.sqrt(
        (_energy(first) + noise) * (_energy(second) + noise)
    )
    overlaps = area >= LEAST_OVERLAP * inside.shape[1]
    return np.where(overlaps, correlation, 0).astype(np.float32)
