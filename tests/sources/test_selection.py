"""Duplicates, near-duplicates and series: what no split may divide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from PIL import Image, ImageEnhance
from pydantic import ValidationError

from longtail.arrays import Int64Array, UInt8Array
from longtail.errors import DataError
from longtail.sources import difference_hash
from longtail.sources.difference_hash import BITS, image_hash, pairs_within
from longtail.sources.files import ImageFileRef
from longtail.sources.journal import FileRecord
from longtail.sources.metadata import Entry
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


@settings(max_examples=40, deadline=None)
@given(
    seed=strategies.integers(0, 2**32 - 1),
    rows=strategies.integers(1, 40),
    limit=strategies.integers(0, 200),
    block=strategies.integers(1, 50),
)
def test_near_pairs_are_those_of_a_plain_count(
    seed: int, rows: int, limit: int, block: int
) -> None:
    generator = np.random.default_rng(seed)
    first = generator.integers(0, 256, (1, 64), dtype=np.uint8)
    flips = generator.random((rows, 512)) < generator.uniform(0, 0.3, (rows, 1))
    hashes = first ^ np.packbits(flips, axis=1)
    unpacked = np.unpackbits(hashes, axis=1)
    expected = {
        (i, j)
        for i in range(rows)
        for j in range(i + 1, rows)
        if (unpacked[i] != unpacked[j]).sum() <= limit
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(difference_hash, "BLOCK_ROWS", block)
        pairs = [tuple(pair) for part in pairs_within(hashes, limit) for pair in part.tolist()]
    assert len(pairs) == len(set(pairs)) and set(pairs) == expected


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


def test_thousand_pictures_that_are_all_alike_need_little_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from longtail.sources import image_groups

    kept: list[int] = []
    spanning = image_groups._spanning

    def counted(pairs: Int64Array) -> Int64Array:
        links = spanning(pairs)
        kept.append(len(links))
        return links

    monkeypatch.setattr(image_groups, "_spanning", counted)
    records = [_record(number) for number in range(1500)]
    entries = [_entry(number) for number in range(1500)]
    found, _ = image_groups.group_images(entries, records, image_groups.Grouping(None, 0, "key"))
    assert set(found) == {0}
    assert sum(kept) < 5000  # of 1,124,250 pairs


def _record(number: int) -> FileRecord:
    return FileRecord("", None, number.to_bytes(32), bytes(64), (0, number))


def _entry(number: int) -> Entry:
    file = ImageFileRef(("a", f"{number}.png"), Path("/"), None)
    return Entry(file, "a", "", "")
