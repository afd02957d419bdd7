"""A data set of the animals in photographs: what is learnt, what is one group, what is left out."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from longtail.arrays import UInt8Array
from longtail.errors import ConfigurationError, DataError
from longtail.sources.box import Box, cut_square
from longtail.sources.decoding import decode
from longtail.sources.decoding.decode import DecodeLimits
from tests.sources.photographs import groups, photograph, read, save, source

SPECIES = ("Abax ater", "Noctua comes", "Zygaena")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three species with three photographs each, of 60 x 40 pixels."""
    for number in range(9):
        name = f"{SPECIES[number // 3]}/{number}.png"
        save(tmp_path / "photographs", name, photograph(number, (60, 40)))
    return tmp_path / "photographs"


def table(folder: Path, rows: list[str]) -> str:
    file = folder.parent / "boxes.csv"
    file.write_text("\n".join(["file,x,y,width,height,score,category", *rows]))
    return str(file)


def coco(folder: Path, boxes: dict[str, list[tuple[list[float], str]]]) -> str:
    names = sorted({name for of_file in boxes.values() for _, name in of_file})
    content = {
        "images": [{"id": n, "file_name": file} for n, file in enumerate(boxes)],
        "annotations": [
            {"id": 0, "image_id": n, "bbox": bbox, "category_id": names.index(name)}
            for n, of_file in enumerate(boxes.values())
            for bbox, name in of_file
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names)],
    }
    file = folder.parent / "coco.json"
    file.write_text(json.dumps(content))
    return str(file)


def every_box(folder: Path, of_one: str) -> list[str]:
    return [f"{file.relative_to(folder)},{of_one}" for file in sorted(folder.rglob("*.png"))]


def test_each_animal_is_an_image_and_those_of_a_photograph_are_one_group(
    folder: Path, tmp_path: Path
) -> None:
    rows = [*every_box(folder, "20,10,16,16,0.9,"), "Zygaena/6.png,2,2,12,12,0.8,"]
    images = read(folder, tmp_path / "decoded", boxes=table(folder, rows))
    assert images.index["file"].tolist()[:1] == ["Abax ater/0.png#xywh=20,10,16,16"]
    assert images.index["class_name"].value_counts().to_dict() == {
        "Abax ater": 3,
        "Noctua comes": 3,
        "Zygaena": 4,
    }
    assert groups(images) == [["Zygaena/6.png#xywh=20,10,16,16", "Zygaena/6.png#xywh=2,2,12,12"]]
    # As `predict` cuts them: a tenth of the box beyond each side.
    whole = np.asarray(Image.open(folder / "Abax ater/0.png"))
    np.testing.assert_array_equal(images.pixels[0], cut_square(whole, Box(20, 10, 16, 16, 0.1), 24))


def test_a_photograph_is_decoded_once_for_all_its_animals(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, original = list[bytes](), decode.decode

    def counting(
        content: BinaryIO, image_size: int | None, limits: DecodeLimits
    ) -> tuple[UInt8Array, bool]:
        decoded.append(content.read())
        content.seek(0)
        return original(content, image_size, limits)

    monkeypatch.setattr(decode, "decode", counting)
    rows = [row for x in (0, 20, 40) for row in every_box(folder, f"{x},10,16,16,0.9,")]
    images = read(folder, tmp_path / "decoded", boxes=table(folder, rows))
    assert len(images.index) == 27
    assert sorted(decoded) == sorted(file.read_bytes() for file in folder.rglob("*.png"))


def test_what_cannot_be_cut_is_rejected_with_the_reason(folder: Path, tmp_path: Path) -> None:
    whole = [10.0, 10.0, 20.0, 20.0]
    boxes = {str(f.relative_to(folder)): [(whole, "moth")] for f in sorted(folder.rglob("*.png"))}
    del boxes["Abax ater/0.png"]
    boxes["Noctua comes/3.png"] = []
    boxes["Noctua comes/4.png"] += [([5.0, 5.0, 0.0, 9.0], "moth"), ([0, 0, 9, 9], "leaf")]
    boxes["gone.png"] = [(whole, "moth")]
    images = read(
        folder,
        tmp_path / "decoded",
        boxes=coco(folder, boxes),
        box_categories=["moth"],
    )
    assert len(images.index) == 7
    assert images.rejected.to_numpy().tolist() == [
        [
            "Abax ater/0.png",
            "Abax ater",
            "is not named in datasets.moths.source.boxes, so no animal was looked for in it",
        ],
        ["Noctua comes/3.png", "Noctua comes", "shows no animal: it has no box"],
        [
            "Noctua comes/4.png#coco.json: annotations[3]",
            "Noctua comes",
            "the box 5,5,0,9 is empty",
        ],
        [
            "gone.png",
            "",
            "is named in coco.json: annotations[9], but is missing or not an image file",
        ],
    ]


def test_species_with_few_photographs_are_named_with_their_groups(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [row for x in (0, 20, 40) for row in every_box(folder, f"{x},10,16,16,0.9,")]
    rows = [row for row in rows if not row.startswith(("Zygaena/7", "Zygaena/8"))]
    with caplog.at_level(logging.INFO):
        read(folder, tmp_path / "decoded", fewest_groups=2, boxes=table(folder, rows))
    assert "1 species with too few images left out: Zygaena (3 in 1 group)" in caplog.text


def test_boxes_of_which_the_detector_is_unsure_are_not_learnt(folder: Path, tmp_path: Path) -> None:
    rows = [*every_box(folder, "20,10,16,16,0.9,"), "Zygaena/6.png,2,2,12,12,0.3,"]
    images = read(folder, tmp_path / "decoded", boxes=table(folder, rows), box_confidence=0.5)
    assert len(images.index) == 9


def test_the_category_of_a_box_can_be_its_species(tmp_path: Path) -> None:
    """Photographs of traps show several species, and are in no class folders."""
    flat = tmp_path / "photographs"
    boxes = {}
    for number in range(4):
        name = f"night {number}.png"
        save(flat, name, photograph(number, (60, 40)))
        boxes[name] = [([20.0 * place, 10.0, 16.0, 16.0], s) for place, s in enumerate(SPECIES)]
    boxes["night 3.png"].append(([0.0, 10.0, 16.0, 16.0], "Zygaena"))
    images = read(flat, tmp_path / "decoded", boxes=coco(flat, boxes), box_species="category")
    assert images.index["class_name"].value_counts().to_dict() == {
        "Abax ater": 3,
        "Noctua comes": 4,
        "Zygaena": 4,
    }
    assert [len(of_group) for of_group in groups(images)] == [3, 3, 3, 2]
    assert images.rejected.to_numpy().tolist() == [
        [
            "night 3.png#xywh=0,10,16,16",
            "",
            "its box has the categories 'Abax ater' and 'Zygaena': one of them is wrong",
        ]
    ]


def test_folders_can_be_official_splits_of_boxes_with_species(tmp_path: Path) -> None:
    root, boxes = tmp_path / "photographs", {}
    for split, first in (("train", 0), ("test", 10)):
        for number in range(first, first + 2):
            save(root, f"{split}/{number}.png", photograph(number, (60, 40)))
            boxes[f"{split}/{number}.png"] = [
                ([20.0 * place, 10.0, 16.0, 16.0], s) for place, s in enumerate(SPECIES)
            ]
    file = coco(root, boxes)
    with pytest.raises(DataError, match=r"box_species=category$"):
        read(root / "train", tmp_path / "decoded", boxes=file)
    with pytest.raises(DataError, match="boxes have the species, so the folders may be anything"):
        read(root, tmp_path / "decoded", boxes=file, box_species="category")
    images = read(
        root, tmp_path / "decoded", boxes=file, box_species="category", split_folders="official"
    )
    assert images.index["split"].value_counts().to_dict() == {"train": 6, "test": 6}
    images = read(
        root, tmp_path / "decoded", boxes=file, box_species="category", split_folders="redraw"
    )
    assert set(images.index["split"]) == {""}


@pytest.mark.parametrize("kinds", [("animal",), ("animal", "person")])
def test_categories_of_a_detector_of_any_animal_are_no_species(
    kinds: tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    rows = [row for kind in kinds for row in every_box(folder, f"20,10,16,16,0.9,{kind}")]
    with pytest.raises(ConfigurationError, match="no species: MegaDetector") as raised:
        read(folder, tmp_path / "decoded", boxes=table(folder, rows), box_species="category")
    message = str(raised.value)
    assert f"species, but {' and '.join(map(repr, kinds))} " in message
    assert "Use datasets.moths.source.box_species=folder" in message


def test_a_table_without_categories_has_no_species(folder: Path, tmp_path: Path) -> None:
    rows = every_box(folder, "20,10,16,16,0.9,")
    with pytest.raises(DataError, match=r"9 .*: its box has no category, and so no species"):
        read(folder, tmp_path / "decoded", boxes=table(folder, rows), box_species="category")


def test_animals_are_found_on_a_plain_background(tmp_path: Path) -> None:
    root = tmp_path / "photographs"
    for number in range(6):
        sheet = Image.new("RGB", (120, 80), (215, 214, 210))
        patch = photograph(number, (20, 20)).point(lambda value: value // 3)
        sheet.paste(patch, (30 + number, 25))
        save(root, f"{SPECIES[number // 2]}/{number}.png", sheet)
    save(root, f"{SPECIES[0]}/empty.png", Image.new("RGB", (120, 80), (215, 214, 210)))
    images = read(root, tmp_path / "decoded", find_animals="plain_background", near_duplicates=None)
    assert len(images.index) == 6
    assert images.index["file"].str.fullmatch(r".*#xywh=\d+,\d+,\d+,\d+").all()
    assert images.rejected.to_numpy().tolist() == [
        [
            "Abax ater/empty.png",
            "Abax ater",
            "shows no animal: nothing differs from the background",
        ]
    ]


def test_an_unknown_category_is_named_with_its_key(folder: Path, tmp_path: Path) -> None:
    boxes = {"Zygaena/6.png": [([1.0, 1.0, 9.0, 9.0], "moth")]}
    with pytest.raises(ConfigurationError, match=r"datasets\.moths\.source\.box_categories: .*mot"):
        read(folder, tmp_path / "decoded", boxes=coco(folder, boxes), box_categories=["mot"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boxes": "b.csv", "find_animals": "plain_background"}, "give one of the two"),
        ({"box_species": "category"}, "set boxes, too"),
        ({"boxes": "b.csv", "box_species": "category", "metadata": "m.csv"}, "leave one of them"),
        ({"boxes": "b.csv", "box_species": "category", "class_levels": 2}, "leave class_levels"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        source(Path("photographs"), **changes)
