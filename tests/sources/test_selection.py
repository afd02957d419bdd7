"""Duplicates, near-duplicates and series: what no split may divide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from PIL import Image, ImageEnhance
from pydantic import ValidationError

from longtail.arrays import Float32Array, UInt8Array
from longtail.errors import DataError
from longtail.sources.cache.journal import FileRecord
from longtail.sources.decoding import difference_hash
from longtail.sources.decoding.difference_hash import BITS, image_hash, nearest_earlier_rows
from longtail.sources.duplicates import near_duplicates
from longtail.sources.duplicates.aligned_correlation import (
    SAME,
    GreyPyramid,
    detail_correlations,
    grey_pyramid,
)
from longtail.sources.duplicates.image_groups import group_images
from longtail.sources.duplicates.near_duplicates import ENOUGH, Comparer, _groups
from longtail.sources.files import ImageFileRef
from longtail.sources.labels.metadata import Entry
from tests.sources.photographs import folder_of, groups, photograph, read, save, source


@pytest.fixture
def decoded(tmp_path: Path) -> Path:
    return tmp_path / "decoded"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "photos", {"a": 4, "b": 4})


def bits(of_image: bytes) -> UInt8Array:
    return np.unpackbits(np.frombuffer(of_image, np.uint8))


def distance(first: Image.Image, second: Image.Image) -> int:
    hashes = [bits(image_hash(np.asarray(image.convert("RGB")))) for image in (first, second)]
    return int((hashes[0] != hashes[1]).sum())


def test_look_says_whether_it_gets_brighter_to_the_right_and_downwards() -> None:
    ramp = np.repeat(np.linspace(0, 255, 64)[None, :, None], 64, axis=0).repeat(3, axis=2)
    to_the_right = bits(image_hash(ramp.astype(np.uint8)))
    downwards = bits(image_hash(ramp.astype(np.uint8).transpose(1, 0, 2)))
    assert len(to_the_right) == BITS == 512
    assert (to_the_right[:256].sum(), to_the_right[256:].sum()) == (256, 0)
    assert (downwards[:256].sum(), downwards[256:].sum()) == (0, 256)


def test_changed_copies_are_near_and_other_photographs_far() -> None:
    original = photograph(1, (256, 256))
    assert distance(original, ImageEnhance.Brightness(original).enhance(0.7)) < 30
    assert distance(original, original.resize((90, 90)).resize((256, 256))) < 30
    assert distance(original, original.crop((4, 4, 252, 252)).resize((256, 256))) < 100
    others = [distance(original, photograph(number, (256, 256))) for number in range(2, 40)]
    assert min(others) > 150


@settings(max_examples=40)
@given(
    seed=strategies.integers(0, 2**32 - 1),
    rows=strategies.integers(1, 40),
    limit=strategies.integers(0, 200),
    block=strategies.integers(1, 50),
    count=strategies.integers(1, 8),
)
def test_nearest_rows_are_those_of_a_plain_count(
    seed: int, rows: int, limit: int, block: int, count: int
) -> None:
    generator = np.random.default_rng(seed)
    first = generator.integers(0, 256, (1, 64), dtype=np.uint8)
    flips = generator.random((rows, 512)) < generator.uniform(0, 0.3, (rows, 1))
    hashes = first ^ np.packbits(flips, axis=1)
    unpacked = np.unpackbits(hashes, axis=1)
    distances = (unpacked[:, None] != unpacked[None]).sum(axis=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(difference_hash, "HASHES_PER_BLOCK", block)
        nearest = nearest_earlier_rows(hashes, limit, count)
    for row, found in enumerate(nearest.tolist()):
        earlier = sorted(range(row), key=lambda other: (distances[row, other], other))
        near = [other for other in earlier if distances[row, other] <= limit][:count]
        assert found == near + [-1] * (count - len(near))


def test_exact_duplicates_of_a_species_are_one_group(root: Path, decoded: Path) -> None:
    save(root, "a/copy.png", photograph(2))
    save(root, "a/copy.webp", photograph(2), lossless=True)  # the same pixels in another file
    images = read(root, decoded, near_duplicates=None)
    assert groups(images) == [["a/002.png", "a/copy.png", "a/copy.webp"]]
    assert images.index["group"].tolist() == [0, 1, 2, 3, 2, 2, 6, 7, 8, 9]


def test_the_same_picture_under_two_species_is_rejected_twice(root: Path, decoded: Path) -> None:
    save(root, "b/stolen.png", photograph(2))
    images = read(root, decoded)
    assert len(images.index) == 7 and groups(images) == []
    assert images.rejected.to_dict("split")["data"] == [
        [
            "a/002.png",
            "a",
            "is the same picture as 'b/stolen.png' of the species 'b': one of the two labels is "
            "wrong",
        ],
        [
            "b/stolen.png",
            "b",
            "is the same picture as 'a/002.png' of the species 'a': one of the two labels is wrong",
        ],
    ]
    assert np.array_equal(images.pixels[2], np.asarray(photograph(3)))


def test_near_duplicates_are_one_group_unless_it_is_switched_off(root: Path, decoded: Path) -> None:
    darker = ImageEnhance.Brightness(photograph(1)).enhance(0.8)
    save(root, "a/darker.jpg", darker, quality=80)
    save(root, "b/darker.jpg", darker, quality=70)  # of another species: not looked for
    assert groups(read(root, decoded)) == [["a/001.png", "a/darker.jpg"]]
    assert groups(read(root, decoded, near_duplicates=None)) == []
    assert groups(read(root, decoded, near_duplicates=0)) == []


def test_near_duplicates_of_what_was_left_out_are_found_when_it_comes_back(
    root: Path, decoded: Path, tmp_path: Path
) -> None:
    """The first run stores no pixels of a photograph that has two species."""
    copy = save(root, "b/copy.png", photograph(1))
    assert len(read(root, decoded).index) == 7
    copy.unlink()
    darker = ImageEnhance.Brightness(photograph(1)).enhance(0.8)
    save(root, "a/darker.jpg", darker, quality=80)
    images = read(root, decoded)
    assert groups(images) == [["a/001.png", "a/darker.jpg"]]
    assert np.array_equal(images.pixels, read(root, tmp_path / "other").pixels)


def test_series_are_taken_from_file_names_within_a_species(root: Path, decoded: Path) -> None:
    names = ("a/night1_001.png", "a/night1_002.png", "a/night2_001.png", "b/night1_001.png")
    for number, name in enumerate(names, start=100):
        save(root, name, photograph(number))
    images = read(root, decoded, group_pattern=r"(night\d+)_\d+\.png$")
    assert groups(images) == [["a/night1_001.png", "a/night1_002.png"]]


def test_groups_that_meet_become_one(root: Path, decoded: Path) -> None:
    save(root, "a/s_1.png", photograph(50))
    save(root, "a/s_2.png", photograph(1))  # in a series, and a duplicate of another
    darker = ImageEnhance.Brightness(photograph(50)).enhance(0.8)
    save(root, "a/z.png", darker)
    images = read(root, decoded, group_pattern=r"(s)_\d")
    assert groups(images) == [["a/001.png", "a/s_1.png", "a/s_2.png", "a/z.png"]]


def test_pattern_that_matches_no_file_is_refused(root: Path, decoded: Path) -> None:
    reason = (
        r"datasets\.moths\.source\.group_pattern: '\(x\)' matches none of the 8 files, such as 'a/0"
    )
    with pytest.raises(DataError, match=reason):
        read(root, decoded, group_pattern="(x)")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [("(", "not a regular expression"), ("night", "has 0"), ("(a)(b)", "but has 2")],
)
def test_pattern_without_one_group_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        source(None, group_pattern=pattern)


def test_hundreds_of_pictures_that_are_all_alike_need_few_comparisons() -> None:
    pixels = np.asarray(photograph(1))
    records = [_record(number) for number in range(300)]
    entries = [_entry(number) for number in range(300)]
    comparer = Comparer(lambda _: None, lambda _: pixels)
    found, _, _ = group_images(entries, records, source(None, near_duplicates=0), "key", comparer)
    assert set(found) == {0}
    assert len(comparer.known) < 300 * ENOUGH  # of 44,850 pairs


def edited(image: Image.Image) -> dict[str, Image.Image]:
    """The same photograph, as people change it."""
    small = image.resize((110, 110), Image.Resampling.BILINEAR)
    cropped = image.crop((5, 12, 245, 252)).resize((256, 256), Image.Resampling.BICUBIC)
    return {
        "brighter": ImageEnhance.Brightness(image).enhance(1.3),
        "smaller": small.resize((256, 256), Image.Resampling.BICUBIC),
        "cropped": cropped,
        "rotated": image.rotate(4, Image.Resampling.BICUBIC, fillcolor=(128, 128, 128)),
        "all": ImageEnhance.Brightness(cropped.rotate(-3, Image.Resampling.BICUBIC)).enhance(0.8),
    }


def moth(individual: int) -> Image.Image:
    """The same outline and pattern for all, and scales of each one's own."""
    pattern = photograph(1, (256, 256)).convert("L")
    scales = np.random.default_rng(individual).normal(0, 24, (64, 64))
    grey = np.asarray(pattern, dtype=np.float64) / 2 + 64
    detail = np.asarray(Image.fromarray(scales).resize((256, 256), Image.Resampling.BICUBIC))
    return Image.fromarray((grey + detail).clip(0, 255).astype(np.uint8)).convert("RGB")


def test_details_tell_copies_from_individuals_in_the_same_pose() -> None:
    original = moth(1)
    copies = edited(original)
    images = [*copies.values(), *(moth(individual) for individual in range(2, 8))]
    pyramids = [grey_pyramid(np.asarray(image)) for image in images]
    first = [grey_pyramid(np.asarray(original))] * len(images)
    correlations = detail_correlations(first, pyramids)
    assert correlations.min() > -1 and correlations.max() <= 1 + 1e-4
    assert dict(zip(copies, correlations >= SAME, strict=False)) == dict.fromkeys(copies, True)
    assert (correlations[len(copies) :] < 0.6).all()
    np.testing.assert_allclose(detail_correlations(pyramids, pyramids), 1, atol=1e-4)


def test_images_without_details_are_the_same_and_not_those_of_others() -> None:
    flat = [grey_pyramid(np.full((64, 64, 3), grey, np.uint8)) for grey in (10, 200)]
    other = grey_pyramid(np.asarray(photograph(3, (64, 64))))
    found = detail_correlations([flat[0], flat[0], other], [flat[1], other, flat[1]])
    assert found[0] > 0.99 and (found[1:] < 0.1).all()


def test_results_of_comparisons_are_stored(
    root: Path, decoded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(root, "a/darker.jpg", ImageEnhance.Brightness(photograph(1)).enhance(0.8), quality=80)
    calls: list[int] = []
    real = detail_correlations

    def counted(first: Sequence[GreyPyramid], second: Sequence[GreyPyramid]) -> Float32Array:
        calls.append(len(first))
        return real(first, second)

    monkeypatch.setattr(near_duplicates, "detail_correlations", counted)
    first = groups(read(root, decoded))
    compared = sum(calls)
    assert compared > 0
    assert groups(read(root, decoded)) == first == [["a/001.png", "a/darker.jpg"]]
    assert sum(calls) == compared


def test_one_wrong_pair_does_not_join_two_groups() -> None:
    """Rows 0 to 2 and 3 to 5 are groups; 6 is the same as 3 to 5, and wrongly as 0."""
    nearest = np.array([[-1] * 5] * 7)
    same = nearest.copy()
    for row, others in {1: [0], 2: [0, 1], 4: [3], 5: [3, 4], 6: [0, 1, 2, 3, 4]}.items():
        nearest[row, : len(others)] = others
        same[row, : len(others)] = 1
    same[6, 1:3] = 0
    assert _groups(nearest, same) == [0, 0, 0, 3, 3, 3, 3]
    nearest[3, 0], same[3, 0] = 2, 0
    assert _groups(nearest, same) == [0, 0, 0, 3, 3, 3, 3]


def _record(number: int) -> FileRecord:
    return FileRecord("", None, number.to_bytes(32), bytes(64), location=(0, number))


def _entry(number: int) -> Entry:
    file = ImageFileRef(("a", f"{number}.png"), Path("/"), None)
    return Entry(file, "a")
