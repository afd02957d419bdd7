"""From boxes of any kind to whole pixels of the upright photograph."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from longtail.errors import DataError
from longtail.sources.box import Box
from longtail.sources.boxes.annotation import Annotation, BoxValues
from longtail.sources.boxes.frames import FrameBoxes, assign_boxes, frame_boxes
from longtail.sources.decoding.frame_size import FrameSize
from longtail.sources.files import ImageFileRef

FILE = ImageFileRef(("night", "a.jpg"), Path("/photographs"), None)
SIZE = FrameSize((400, 300))
BOX = (40.0, 30.0, 200.0, 100.0)


def boxes_of(*annotations: Annotation, size: FrameSize = SIZE) -> FrameBoxes:
    return frame_boxes(FILE, annotations, size, 0.1, 64)


def box(
    values: BoxValues | None = BOX,
    confidence: float | None = None,
    size: tuple[int, int] | None = None,
    place: int = 0,
    relative: bool = False,
) -> Annotation:
    return Annotation("night/a.jpg", f"b.csv: line {place}", values, relative, confidence, "", size)


def test_boxes_in_pixels_and_shares_are_the_same() -> None:
    [absolute] = boxes_of(box()).crops
    [relative] = boxes_of(box((0.1, 0.1, 0.5, 1 / 3), relative=True)).crops
    assert absolute.box == relative.box == Box(40, 30, 200, 100, 0.1)
    assert (absolute.frame, str(absolute.box)) == ("night/a.jpg", "40,30,200,100")
    assert math.isnan(absolute.confidence) and absolute.note == ""


def test_shares_are_of_the_upright_photograph() -> None:
    turned = FrameSize((300, 400), 6)
    [crop] = boxes_of(box((0.1, 0.1, 0.5, 1 / 3), relative=True), size=turned).crops
    assert crop.box == Box(40, 30, 200, 100, 0.1)


def test_pixels_are_of_the_photograph_whose_size_is_stated() -> None:
    """By default the upright one, in which most detectors look."""
    turned = FrameSize((300, 400), 6)
    upright = Box(40, 30, 200, 100, 0.1)
    assert [crop.box for crop in boxes_of(box(), size=turned).crops] == [upright]
    assert [crop.box for crop in boxes_of(box(size=(400, 300)), size=turned).crops] == [upright]
    stored = boxes_of(box((30, 160, 100, 200), size=(300, 400)), size=turned).crops
    assert [crop.box for crop in stored] == [upright]
    resized = boxes_of(box(size=(200, 150)), size=turned)
    assert resized.rejected == {
        "#b.csv: line 0": "the box 40,30,200,100 is of a photograph of 200 x 150 pixels, but this "
        "one has 400 x 300"
    }


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((math.nan, 30.0, 20.0, 10.0), "a coordinate of the box nan,30,20,10 is not a number"),
        ((40.0, math.inf, 20.0, 10.0), "a coordinate of the box 40,inf,20,10 is not a number"),
        ((40.0, 30.0, 0.0, 10.0), "the box 40,30,0,10 is empty"),
        ((40.0, 30.0, 20.0, -10.0), "the box 40,30,20,-10 is empty"),
        ((40.0, 30.0, 0.3, 20.0),
         "the box 40,30,0.3,20 is too small: at least 2 pixels are needed"),
        ((401.0, 30.0, 20.0, 10.0),
         "the box 401,30,20,10 is outside of the photograph of 400 x 300 pixels"),
        ((390.0, 30.0, 40.0, 40.0),
         "the box 390,30,40,40 is outside of the photograph of 400 x 300 pixels"),
        ((1e300, 30.0, 20.0, 10.0), "the box 1e+300,30,20,10 is outside of any photograph"),
    ],
)  # fmt: skip
def test_a_box_that_cannot_be_used_costs_only_itself(values: BoxValues, reason: str) -> None:
    found = boxes_of(box(values), box(place=1))
    assert found.rejected == {"#b.csv: line 0": reason}
    assert [crop.box for crop in found.crops] == [Box(40, 30, 200, 100, 0.1)]
    alone = boxes_of(box(values))
    assert (alone.crops, alone.without_animal) == ([], "")


def test_a_box_beyond_the_edge_is_clipped_with_a_note() -> None:
    [crop] = boxes_of(box((-20.0, 250.0, 100.0, 60.0))).crops
    assert crop.box == Box(0, 250, 80, 50, 0.1)
    assert crop.note == "33% of its box is outside of the photograph"


def test_equal_boxes_are_one_animal_of_the_larger_confidence() -> None:
    [crop] = boxes_of(box(confidence=0.3), box((40.2, 30.0, 200.0, 99.8), 0.7, place=1)).crops
    assert (crop.confidence, crop.note) == (0.7, "the same box is named 2 times")


def test_several_and_small_animals_have_a_note() -> None:
    small = box((10.0, 20.0, 20.0, 15.0), 0.9)
    first, second = boxes_of(box(confidence=0.3), small).crops
    assert (first.confidence, second.confidence) == (0.9, 0.3)
    assert first.note == (
        "one of 2 animals in the photograph; fills 0.2% of the photograph; only 20 x 15 pixels"
    )
    assert second.note == "one of 2 animals in the photograph"


def test_boxes_that_may_be_of_one_animal_have_a_note() -> None:
    shifted = box((50.0, 35.0, 200.0, 100.0), 0.9)
    first, second = boxes_of(box(confidence=0.3), shifted).crops
    note = "one of 2 animals in the photograph; overlaps another box by 82%: perhaps one animal"
    assert first.note == second.note == note


def test_a_photograph_without_a_box_says_why() -> None:
    assert boxes_of(box(None)).without_animal == "it has no box"
    low = Annotation("a", "b", BOX, unused="with a confidence below 0.2")
    person = Annotation("a", "b", BOX, unused="of the category person")
    assert boxes_of(low, low, person).without_animal == (
        "2 boxes with a confidence below 0.2 and 1 box of the category person"
    )


def test_a_folder_that_holds_everything_may_be_missing_in_names() -> None:
    """As of a zip file whose photographs are all in one folder."""
    files = [
        ImageFileRef(("sheets", species, "1.jpg"), Path("/p.zip"), "m") for species in ("a", "b")
    ]
    names = ["a/1.jpg", "sheets/b/1.jpg"]
    found = assign_boxes([Annotation(name, "b") for name in names], files, "predict.boxes")
    assert list(found.of_file) == files


def test_photographs_are_found_by_the_names_that_boxes_give() -> None:
    nights = [
        ImageFileRef(("a.jpg",), Path("/photographs") / night, None) for night in ("n 1", "n 2")
    ]
    names = ["n 1/a.jpg", "/photographs/n 2/a.jpg", "a.jpg", "n 3/a.jpg"]
    found = assign_boxes([Annotation(name, "b") for name in names], nights, "predict.boxes")
    assert {file: [one.file for one in boxes] for file, boxes in found.of_file.items()} == {
        nights[0]: [names[0]],
        nights[1]: [names[1]],
    }
    assert found.missing == {
        name: "is named in b, but is missing or not an image file" for name in names[2:]
    }


def test_boxes_of_other_photographs_are_refused() -> None:
    with pytest.raises(DataError, match="names none of the photographs, but x"):
        assign_boxes([Annotation("x.jpg", "b")], [FILE], "predict.boxes")
