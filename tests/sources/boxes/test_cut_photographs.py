"""Photographs to name, cut by boxes: nothing of them is lost."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from longtail.parameters.sources import PhotographSource
from longtail.sources.box import Box
from longtail.sources.boxes.cut_photographs import cut_photographs, with_boxes
from longtail.sources.photographs import (
    Photographs,
    checksums,
    content_keys,
    find_photographs,
)
from tests.sources.photographs import photograph, save


def cut(folder: Path, file: Path) -> Photographs:
    found = find_photographs(str(folder))
    return cut_photographs(found, PhotographSource(boxes=str(file)), "predict", 0.1, 16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(["=a.png", "night/b.png", "night/c.png", "d.png"]):
        save(tmp_path / "photographs", name, photograph(number))
    (tmp_path / "photographs/broken.png").write_bytes(b"")
    (tmp_path / "photographs/phone.jxl").write_bytes(b"")
    return tmp_path / "photographs"


def results(folder: Path, boxes: dict[str, list[list[float]]]) -> Path:
    images = [
        {"file": name, "detections": [{"category": "1", "conf": 0.5, "bbox": b} for b in of_file]}
        for name, of_file in boxes.items()
    ]
    content = {"detection_categories": {"1": "animal"}, "images": images}
    file = folder.parent / "boxes.json"
    file.write_text(json.dumps(content))
    return file


def test_every_photograph_and_box_is_accounted_for(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = [0.0, 0.0, 1.0, 1.0]
    boxes = {
        "=a.png": [whole, [0.5, 0.5, 0.5, 0.5]],
        "night/b.png": [],
        "night/c.png": [[0.5, 0.5, 0.0, 0.5]],
        "broken.png": [whole],
        "gone.png": [whole, whole],
        "phone.jxl": [whole],
    }
    with caplog.at_level(logging.INFO):
        found = cut(folder, results(folder, boxes))
    assert list(found.files) == [
        "=a.png#xywh=0,0,24,24",
        "=a.png#xywh=12,12,12,12",
        "night/b.png",
    ]
    assert {name: (box.frame, box.box, box.confidence) for name, box in found.boxes.items()} == {
        "=a.png#xywh=0,0,24,24": ("=a.png", Box(0, 0, 24, 24, 0.1), 0.5),
        "=a.png#xywh=12,12,12,12": ("=a.png", Box(12, 12, 12, 12, 0.1), 0.5),
    }
    assert found.without_animal == {"night/b.png": "it has no box"}
    assert found.bad_boxes == {
        "night/c.png#boxes.json: images[2].detections[0]": (
            *("night/c.png", "the box 0.5,0.5,0,0.5 is empty"),
        ),
        "gone.png": (
            "",
            "is named in boxes.json: images[4].detections[1], but is missing or not an image file",
        ),
        "d.png": ("", "is not named in predict.boxes, so no animal was looked for in it"),
    }
    assert set(found.frames) == {"=a.png", "broken.png", "d.png", "night/b.png", "night/c.png"}
    names = pd.DataFrame({"file": [*found.files, *found.bad_boxes], "note": ""})
    frames = dict(zip(names["file"], with_boxes(names, found)["frame"], strict=True))
    assert frames == {
        "=a.png#xywh=0,0,24,24": "=a.png",
        "=a.png#xywh=12,12,12,12": "=a.png",
        "night/c.png#boxes.json: images[2].detections[0]": "night/c.png",
        **dict.fromkeys(("night/b.png", "d.png", "gone.png"), ""),
    }
    assert found.rejected["broken.png"] == "cannot be read: the file is empty"
    assert "convert it to JPEG" in found.rejected["phone.jxl"]
    assert "predict.boxes: 2 animals in 1 photograph; 1 photograph without an animal" in caplog.text
    assert "predict.boxes: 1 photograph is not named in it, such as 'd.png'" in caplog.text


def test_a_photograph_that_a_table_does_not_name_has_no_animal(folder: Path) -> None:
    file = folder.parent / "boxes.csv"
    file.write_text("file,x,y,width,height\nd.png,1,2,10,12\n")
    found = cut(folder, file)
    assert list(found.boxes) == ["d.png#xywh=1,2,10,12"]
    assert set(found.without_animal) == {"=a.png", "broken.png", "night/b.png", "night/c.png"}


def test_the_table_of_names_has_the_boxes(folder: Path) -> None:
    found = cut(folder, results(folder, {"d.png": [[0.0, 0.0, 0.5, 0.5]], "night/b.png": []}))
    files = ["d.png#xywh=0,0,12,12", "night/b.png"]
    names = pd.DataFrame({"file": files, "note": ["", "of the whole photograph"]})
    table = with_boxes(names, found)
    assert table["frame"].tolist() == ["d.png", ""]
    assert table["box"].tolist() == ["0,0,12,12", ""]
    assert table["note"].tolist() == ["", "of the whole photograph"]
    np.testing.assert_array_equal(table["box_confidence"], [0.5, np.nan])


def test_each_box_of_a_photograph_is_another_picture_of_the_same_file(folder: Path) -> None:
    """Otherwise one animal would get the name that another one has got before."""
    boxes = {"d.png": [[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]], "night/b.png": []}
    files = cut(folder, results(folder, boxes)).files
    contents = checksums(files)
    assert contents == {
        name: hashlib.sha256((folder / name.partition("#")[0]).read_bytes()).hexdigest()
        for name in files
    }
    assert len(set(contents.values())) == 2
    keys = content_keys(files, contents)
    assert len(set(keys.values())) == 3
    assert keys["night/b.png"] == contents["night/b.png"]
    wider = {
        name: replace(file, box=file.box and replace(file.box, margin=0.5))
        for name, file in files.items()
    }
    of_wider = content_keys(wider, contents)
    assert [name for name in files if of_wider[name] == keys[name]] == ["night/b.png"]


def test_animals_on_a_plain_background_are_cut_without_a_detector(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sheet = np.full((120, 200, 3), 210, dtype=np.uint8)
    Image.fromarray(sheet).save(tmp_path / "empty.png")
    sheet[20:40, 30:60] = sheet[70:90, 140:150] = 40
    Image.fromarray(sheet).save(tmp_path / "two.png")
    (tmp_path / "broken.png").write_bytes(b"")
    with caplog.at_level(logging.INFO):
        source = PhotographSource(find_animals="plain_background")
        found = cut_photographs(find_photographs(str(tmp_path)), source, "predict", 0.1, 16)
    boxes = {name: (box.frame, box.box) for name, box in found.boxes.items()}
    assert [frame for frame, _ in boxes.values()] == ["two.png"] * 2
    for (_, box), expected in zip(
        boxes.values(), [(30, 20, 30, 20), (140, 70, 10, 20)], strict=True
    ):
        np.testing.assert_allclose((box.x, box.y, box.width, box.height), expected, atol=2)
        assert box.margin == 0.1
    assert list(found.files) == ["empty.png", *boxes]
    assert found.without_animal == {"empty.png": "nothing differs from the background"}
    assert found.rejected == {"broken.png": "cannot be read: the file is empty"}
    assert set(found.frames) == {"broken.png", "empty.png", "two.png"}
    assert "predict.find_animals: 2 animals in 1 photograph; 1 photograph without" in caplog.text
