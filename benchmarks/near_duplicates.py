"""Precision and recall of near-duplicates: ``python -m benchmarks.near_duplicates <folder>``.

The folder (or zip file) holds photographs in one folder per species. Copies of them are cropped,
rotated, resized, brightened and compressed again, each alone and all together. Pairs of different
photographs of a species are what must not be found: as they are, and with each animal cut out,
turned upright, enlarged to one size and put on white, as pinned specimens are photographed. Those
that are found are listed: some may show one individual twice. They count as wrong, so that the
precision is a lower limit.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import combinations

import numpy as np
import rich
from PIL import Image, ImageEnhance
from rich.table import Table
from scipy import ndimage

from longtail.arrays import BoolArray, Float32Array, UInt8Array
from longtail.prefetch import on_all_cores
from longtail.sources.decoding.decode import decode_together
from longtail.sources.decoding.difference_hash import image_hash
from longtail.sources.duplicates.aligned_correlation import SAME, detail_correlations, grey_pyramid
from longtail.sources.files import ImageFileRef
from longtail.sources.listing import list_images

SIDE = 256
# The default of near_duplicates, in bits.
LIMIT = 200
BATCH = 64
# The part of a specimen's picture that the animal fills.
FILLED = 0.85

Edit = Callable[[Image.Image, np.random.Generator], Image.Image]


def cropped(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Without 2 to 12 % of each side, more of it on one side than on the other."""
    width, height = image.size
    share = generator.uniform(0.02, 0.12)
    left, top = generator.uniform(0, share, 2)
    right, below = 1 - share + left, 1 - share + top
    box = (int(left * width), int(top * height), int(right * width), int(below * height))
    return image.crop(box)


def rotated(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """By 1 to 5 degrees to either side; the corners have the mean colour."""
    angle = generator.uniform(1, 5) * generator.choice([-1, 1])
    mean = tuple(int(value) for value in np.asarray(image).reshape(-1, 3).mean(axis=0))
    return image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=mean)


def resized(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """To 35 to 80 % of its size."""
    scale = generator.uniform(0.35, 0.8)
    size = (int(image.width * scale), int(image.height * scale))
    return image.resize(size, Image.Resampling.BILINEAR)


def brightened(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """By a factor of 0.7 to 1.4, and its contrast by one of 0.8 to 1.25."""
    brighter = ImageEnhance.Brightness(image).enhance(generator.uniform(0.7, 1.4))
    return ImageEnhance.Contrast(brighter).enhance(generator.uniform(0.8, 1.25))


def compressed(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """As a JPEG of quality 30 to 80."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(generator.integers(30, 80)))
    return Image.open(buffer).convert("RGB")


EDITS: dict[str, tuple[Edit, ...]] = {
    "cropped": (cropped,),
    "rotated": (rotated,),
    "resized": (resized,),
    "brightened": (brightened,),
    "compressed": (compressed,),
    "all five": (cropped, rotated, resized, brightened, compressed),
}


def specimen(pixels: UInt8Array) -> UInt8Array | None:
    """The animal alone, upright, of one size and on white; None where it is not found."""
    mask = _animal(pixels)
    if mask is None:
        return None
    y, x = np.nonzero(mask)
    axis = np.linalg.eigh(np.cov(np.stack([x, y])))[1][:, 1]
    angle = (np.degrees(np.arctan2(axis[1], axis[0])) + 45) % 90 - 45  # to the nearest axis
    soft = ndimage.gaussian_filter(mask.astype(np.float32), 1)[..., None]
    on_white = (pixels * soft + 255 * (1 - soft)).astype(np.uint8)
    upright = Image.fromarray(on_white).rotate(
        angle, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255), expand=True
    )
    turned = Image.fromarray(mask).rotate(angle, expand=True)
    box = turned.getbbox()
    assert box is not None  # the mask is not empty
    cut = upright.crop(box)
    scale = FILLED * SIDE / max(cut.size)
    size = (max(int(cut.width * scale), 1), max(int(cut.height * scale), 1))
    plate = Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
    corner = ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2)
    plate.paste(cut.resize(size, Image.Resampling.BICUBIC), corner)
    return np.asarray(plate)


def _animal(pixels: UInt8Array) -> BoolArray | None:
    """Where the animal is: the largest region of other colours than the border's."""
    border = np.concatenate([pixels[:8], pixels[-8:]], axis=None).reshape(-1, 3)
    distance: Float32Array = np.linalg.norm(
        ndimage.gaussian_filter(pixels.astype(np.float32), (2, 2, 0)) - np.median(border, axis=0),
        axis=2,
    )
    regions, count = ndimage.label(distance > 0.4 * np.quantile(distance, 0.98))
    if not count:
        return None
    largest = 1 + int(np.argmax(np.bincount(regions.ravel())[1:]))
    mask: BoolArray = ndimage.binary_fill_holes(regions == largest)
    touching = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean()
    return mask if 0.04 < mask.mean() < 0.6 and touching < 0.05 else None


class Found:
    """Which pairs of images are found."""

    def __init__(self, images: Mapping[str, UInt8Array]) -> None:
        self._bits = {
            name: np.unpackbits(np.frombuffer(image_hash(pixels), np.uint8))
            for name, pixels in images.items()
        }
        self._pyramids = {name: grey_pyramid(pixels) for name, pixels in images.items()}

    def correlations(self, pairs: Iterable[tuple[str, str]]) -> Float32Array:
        """The correlation of each pair; -1 where the hashes are too far from each other."""
        every = list(pairs)
        near = [p for p in every if (self._bits[p[0]] != self._bits[p[1]]).sum() <= LIMIT]

        def compare(batch: list[tuple[str, str]]) -> Float32Array:
            sides = ([self._pyramids[pair[side]] for pair in batch] for side in (0, 1))
            return detail_correlations(*sides)

        batches = (near[start : start + BATCH] for start in range(0, len(near), BATCH))
        found = {
            pair: float(value)
            for batch, values in on_all_cores(compare, batches)
            for pair, value in zip(batch, values, strict=True)
        }
        return np.array([found.get(pair, -1) for pair in every], dtype=np.float32)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("folder", help="a folder or zip file with a folder per species")
    parser.add_argument("--every", type=int, default=3, help="which photographs are edited")
    arguments = parser.parse_args()
    files = {file.name: file for file in list_images(arguments.folder, "folder").files}
    photographs = {file.name: pixels for file, pixels in on_all_cores(_read, files.values())}
    specimens = {n: plate for n, p in photographs.items() if (plate := specimen(p)) is not None}
    table = Table("images", "pairs", "of which found", "share")
    for title, images in (("photographs", photographs), ("specimens on white", specimens)):
        _measure(title, images, arguments.every, table)
    rich.print(table)


def _read(file: ImageFileRef) -> UInt8Array:
    [(pixels, _)] = decode_together([file], SIDE)
    return pixels


def _measure(title: str, images: Mapping[str, UInt8Array], every: int, table: Table) -> None:
    """Add the rows of one kind of images."""
    generator = np.random.default_rng(0)
    by_species: dict[str, list[str]] = defaultdict(list)
    for name in images:
        by_species[name.split("/")[-2]].append(name)
    edited, copies = dict(images), defaultdict(list)
    for name in list(images)[::every]:
        for kind, edits in EDITS.items():
            copy = Image.fromarray(images[name])
            for edit in edits:
                copy = edit(copy, generator)
            square = copy.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            edited[f"{name} {kind}"] = np.asarray(square)
            copies[kind].append((name, f"{name} {kind}"))
    found = Found(edited)
    right = 0
    total = 0
    for kind, pairs in copies.items():
        hits = int((found.correlations(pairs) >= SAME).sum())
        right, total = right + hits, total + len(pairs)
        table.add_row(
            f"{title}, {kind}", f"{len(pairs):,}", f"{hits:,}", f"{hits / len(pairs):.3f}"
        )
    different = [pair for names in by_species.values() for pair in combinations(names, 2)]
    correlations = found.correlations(different)
    wrong = int((correlations >= SAME).sum())
    table.add_row(
        f"{title}, different", f"{len(different):,}", f"{wrong:,}", f"{wrong / len(different):.5f}"
    )
    table.add_row(f"{title}: recall", f"{total:,}", f"{right:,}", f"{right / total:.3f}")
    table.add_row(
        f"{title}: precision", f"{right + wrong:,}", f"{right:,}", f"{right / (right + wrong):.3f}"
    )
    for at in np.argsort(-correlations)[:wrong]:
        sys.stdout.write("\t".join([f"{correlations[at]:.3f}", *different[at]]) + "\n")


if __name__ == "__main__":
    main()
