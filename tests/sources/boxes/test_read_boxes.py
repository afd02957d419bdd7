"""Files of boxes in each format, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from longtail.errors import ConfigurationError, DataError
from longtail.parameters.sources import PhotographSource
from longtail.sources.boxes.annotation import Annotation
from longtail.sources.boxes.read_boxes import FoundBoxes, read_boxes

CATEGORIES = {"1": "animal", "2": "person", "3": "vehicle"}


def read(
    path: Path, categories: tuple[str, ...] | None = None, confidence: float = 0.2
) -> FoundBoxes:
    source = PhotographSource(boxes=str(path), box_confidence=confidence, box_categories=categories)
    return read_boxes(source, "predict")


def megadetector(folder: Path, *images: Any, **keys: Any) -> Path:
    content = {"info": {"format_version": "1.6"}, "detection_categories": CATEGORIES}
    file = folder / "night.json"
    file.write_text(json.dumps({**content, "images": images, **keys}))
    return file


def detection(
    bbox: Any = (0.1, 0.2, 0.3, 0.4), conf: Any = 0.9, category: str = "1"
) -> dict[str, Any]:
    return {"category": category, "conf": conf, "bbox": bbox}


def coco(folder: Path, annotations: Any, **keys: Any) -> Path:
    images = [{"id": 7, "file_name": "a.jpg", "width": 400, "height": 300}]
    images += [{"id": 8, "file_name": "b.jpg"}]
    categories = [{"id": 1, "name": "insect"}]
    content = {"images": images, "categories": categories, "annotations": annotations}
    file = folder / "coco.json"
    file.write_text(json.dumps({**content, **keys}))
    return file


def table(folder: Path, text: str) -> Path:
    file = folder / "boxes.csv"
    file.write_text(text)
    return file


def test_results_of_megadetector(tmp_path: Path) -> None:
    found = read(
        megadetector(
            tmp_path,
            {"file": "a.jpg", "detections": [detection(), detection(conf=0.1)]},
            {"file": "b.jpg", "detections": [detection(category="2")]},
            {"file": "c.jpg", "detections": []},
            {"file": "d.jpg", "detections": None, "failure": "image access"},
        )
    )
    assert found.lists_all
    box = (0.1, 0.2, 0.3, 0.4)
    assert found.annotations == [
        Annotation("a.jpg", "night.json: images[0].detections[0]", box, True, 0.9, "animal"),
        Annotation(
            *("a.jpg", "night.json: images[0].detections[1]", box, True, 0.1, "animal"),
            unused="with a confidence below 0.2",
        ),
        Annotation(
            *("b.jpg", "night.json: images[1].detections[0]", box, True, 0.9, "person"),
            unused="of the category person",
        ),
        Annotation("c.jpg", "night.json: images[2]"),
        Annotation(
            *("d.jpg", "night.json: images[3]"),
            problem="the detector could not read it: image access",
        ),
    ]


@pytest.mark.parametrize(
    ("one", "problem"),
    [
        (detection(bbox=None), "its bbox is not four numbers"),
        (detection(bbox=[1, 2, 3]), "its bbox is not four numbers"),
        (detection(bbox=[10**400, 0, 1, 1]), "its bbox is not four numbers"),
        (detection(bbox=[0.1, "0.1", 0.2, 0.2]), "its bbox is not four numbers"),
        (detection(conf="high"), "its confidence 'high' is not a number from 0 to 1"),
        (detection(conf=float("nan")), "its confidence nan is not a number from 0 to 1"),
        (detection(conf=87), "its confidence 87 is not a number from 0 to 1"),
    ],
)
def test_a_wrong_detection_costs_only_itself(
    tmp_path: Path, one: dict[str, Any], problem: str
) -> None:
    images = {"file": "a.jpg", "detections": [one, detection()]}
    wrong, right = read(megadetector(tmp_path, images)).annotations
    assert (wrong.problem, wrong.values) == (problem, None)
    assert (right.problem, right.unused, right.confidence) == ("", "", 0.9)


def test_coco(tmp_path: Path) -> None:
    annotations = [
        {"id": 1, "image_id": 7, "category_id": 1, "bbox": [40, 30, 20, 10]},
        {"id": 2, "image_id": 7, "category_id": 1, "bbox": [40, 30, 20, 10], "score": 0.5},
        {"id": 3, "image_id": 9, "category_id": 1, "bbox": [40, 30, 20, 10]},
        {"id": 4, "image_id": 7, "category_id": 1, "bbox": []},
        {"id": 5, "image_id": 7, "category_id": 1, "bbox": [0, 0, 99, 99], "iscrowd": 1},
        {"id": 6, "image_id": 7, "category_id": 999, "bbox": [40, 30, 20, 10]},
    ]
    found = read(coco(tmp_path, annotations)).annotations
    box, size = (40.0, 30.0, 20.0, 10.0), (400, 300)
    place = "coco.json: annotations[{}]".format
    assert found == [
        Annotation("a.jpg", place(0), box, False, None, "insect", size),
        Annotation("a.jpg", place(1), box, False, 0.5, "insect", size),
        Annotation("", place(2), problem="its image_id 9 is not the id of an image"),
        Annotation("a.jpg", place(3), category="insect", problem="its bbox is not four numbers"),
        Annotation(
            *("a.jpg", place(4)),
            category="insect",
            problem="it is around a group of animals (iscrowd), not one",
        ),
        Annotation("a.jpg", place(5), problem="its category_id 999 is not the id of a category"),
        Annotation("b.jpg", "coco.json: the image of id 8"),
    ]


@pytest.mark.parametrize(
    ("text", "values", "is_relative"),
    [
        ("file,x,y,width,height\na.jpg,40,30,20,10\n", (40, 30, 20, 10), False),
        ("file;xmin;ymin;xmax;ymax\na.jpg;40;30;60;40\n", (40, 30, 20, 10), False),
        ("file;x;y;width;height\na.jpg;0,5;0,25;0,125;0,5\n", (0.5, 0.25, 0.125, 0.5), True),
        ("image\tbboxX\tbboxY\tbboxWidth\tbboxHeight\na.jpg\t0.5\t0.25\t0.125\t0.5\n",
         (0.5, 0.25, 0.125, 0.5), True),
        ("filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,400,300,m,40,30,60,40\n",
         (40, 30, 20, 10), False),
    ],
)  # fmt: skip
def test_tables_by_their_headers(
    tmp_path: Path, text: str, values: tuple[float, ...], is_relative: bool
) -> None:
    found = read(table(tmp_path, text))
    [one] = found.annotations
    assert not found.lists_all
    assert (one.values, one.is_relative, one.where) == (values, is_relative, "boxes.csv: line 2")
    assert one.size == ((400, 300) if "class" in text else None)


def test_rows_of_a_table(tmp_path: Path) -> None:
    lines = ["file,x,y,w,h,score", "a.jpg,1,2,30,40,0.9", "b.jpg,,,,,", "c.jpg,1,2,x,4,0.9"]
    lines += ["d.jpg,1,2,3,4,90", ",1,2,3,4,0.9", "e.jpg,1,2,3,4,", "f.jpg,1,2,3,4,high"]
    a, b, c, d, nameless, e, f = read(table(tmp_path, "\n".join(lines))).annotations
    assert (a.values, a.confidence) == ((1, 2, 30, 40), 0.9)
    assert (b.values, b.problem) == (None, "")  # a photograph without a box
    assert c.values is not None and str(c.values[2]) == "nan"
    assert d.problem == "its confidence 90.0 is not a number from 0 to 1"
    assert nameless.problem == "it names no photograph"
    assert (e.confidence, e.problem) == (None, "")
    assert f.problem == "its confidence 'high' is not a number from 0 to 1"


def test_a_folder_of_files(tmp_path: Path) -> None:
    (tmp_path / "2024").mkdir()
    megadetector(tmp_path / "2024", {"file": "a.jpg", "detections": [detection()]})
    table(tmp_path, "file,x,y,w,h\nb.jpg,1,2,30,40\n")
    (tmp_path / "readme.md").write_text("no boxes")
    found = read(tmp_path)
    assert found.lists_all
    assert [one.file for one in found.annotations] == ["a.jpg", "b.jpg"]


def test_categories_are_those_asked_for(tmp_path: Path) -> None:
    images = {"file": "a.jpg", "detections": [detection(), detection(category="2")]}
    file = megadetector(tmp_path, images)
    assert [one.unused for one in read(file, ("person",)).annotations] == [
        "of the category animal",
        "",
    ]
    with pytest.raises(
        ConfigurationError,
        match=r"predict\.box_categories: unknown category 'persn'\. Did you mean 'person'",
    ):
        read(file, ("persn",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "night.json' is not a complete JSON file"),
        ("[" * 100_000, "nested too deeply"),
        ('{"info": {"format_version": "2.0"}, "detection_categories": {"1": "animal"}}',
         r"info\.format_version is '2\.0', but versions 1\.0 to 1\.6 are known"),
        ("[]", "is not a file of boxes: it has neither the key detection_categories"),
        ('{"images": []}', "is not a file of boxes: it has neither the key detection_categories"),
        ('{"detection_categories": []}', "detection_categories must be a table"),
        ('{"detection_categories": {"1": "animal"}}', "images must be a list"),
        ('{"detection_categories": {"1": "moth"}, "images": []}', "has no category 'animal'"),
        ('{"detection_categories": {"1": "animal"}, "images": [{}]}', r"images\[0\].file must be"),
        ('{"detection_categories": {"1": "animal"}, "images": [{"file": "a", "detections": 1}]}',
         r"images\[0\].detections must be a list"),
        ('{"annotations": []}', "images must be a list"),
        ('{"annotations": 1, "images": []}', "annotations must be a list"),
        ('{"annotations": [1], "images": []}', r"annotations\[0\] must be an annotation"),
        ('{"annotations": [], "images": [{"id": 1}]}', r"images\[0\].file_name must be"),
        ('{"annotations": [], "images": [{"file_name": "a"}]}', r"images\[0\].id must be"),
        ('{"annotations": [], "images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": ""}]}',
         r"images\[1\].id: two images have the id 1"),
        ('{"annotations": [], "images": [], "categories": [1]}', "categories must be a list"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_file_of_boxes_is_refused_by_name_and_key(
    tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "night.json").write_text(content)
    with pytest.raises(DataError, match=message) as raised:
        read(tmp_path / "night.json")
    assert f"predict.boxes: '{tmp_path / 'night.json'}'" in str(raised.value)


def test_a_table_without_the_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must name the columns file, and x, y, width and height"):
        read(table(tmp_path, "file,x,y\na.jpg,1,2\n"))


def test_a_path_without_files_of_boxes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"predict\.boxes: nothing is at"):
        read(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no file of boxes is in"):
        read(tmp_path)
