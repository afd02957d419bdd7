"""What is published of copies, and what the log says is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from longtail.parameters import Dataset, Predict
from longtail.pipelines.predict.name_photographs import title_of_naming
from longtail.pipelines.predict.nodes import publish_records
from longtail.records.deployments import Deployments
from longtail.sources.box import Box
from longtail.sources.files import ImageFileRef
from longtail.sources.photographs import PhotographBox, Photographs
from tests.records.names_rows import RECOGNIZER, UNSURE, names, row


def test_a_photograph_that_was_copied_is_published_once(base_config: dict[str, Any]) -> None:
    dataset = Dataset.model_validate(base_config["datasets"]["moths"] | {"name": "moths"})
    rows = [row("a.jpg"), row("copy of a.jpg"), row("b.jpg", UNSURE), row("copy of b.jpg", UNSURE)]
    table = names(*rows).assign(sha256=["one", "one", "two", "two"])
    package, occurrences, left_out, nights, _ = publish_records(
        table, RECOGNIZER, [], Photographs(), Deployments(), Predict(), dataset
    )
    assert occurrences["occurrenceID"].tolist() == ["a.jpg"]
    assert left_out.to_numpy().tolist() == [
        ["camtrap-dp.zip", "copy of a.jpg", "the same file as 'a.jpg'"],
        ["camtrap-dp.zip", "copy of b.jpg", "the same file as 'b.jpg'"],
        ["occurrences.csv", "copy of a.jpg", "the same file as 'a.jpg'"],
    ]
    assert nights[["species", "all"]].to_numpy().tolist() == [
        ["Noctua comes", 1],
        ["Noctua pronuba", 1],
    ]
    observations = package["observations.csv"].decode().splitlines()[1:]
    assert [line.partition(",")[0] for line in observations] == ["a.jpg", "b.jpg"]
    assert observations[0].endswith("trusted at an error rate of 15%")


@pytest.mark.parametrize(
    ("boxes", "title"), [(0, "Reading and naming 2 of 4 photographs"), (2, "Naming 2 animals")]
)
def test_the_title_says_of_how_many_photographs(boxes: int, title: str) -> None:
    files = {name: ImageFileRef((name,), Path(), member=None) for name in ("a", "b", "c")}
    box = PhotographBox("a", (9, 9), Box(1, 1, 5, 5), float("nan"), "")
    photographs = Photographs(files=files, rejected={"d.NEF": "raw"})
    photographs.boxes = {str(number): box for number in range(boxes)}
    assert title_of_naming(2, photographs) == title
