"""Tests of the check of the photographs to name."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from PIL import Image

from longtail.preflight.photographs import check_request
from longtail.sources.corrections import read_corrections
from tests.pipelines.support import loader


def test_what_the_nodes_say_of_a_table_is_not_said_twice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / "photographs").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "photographs/1.jpg")
    corrections, boxes = tmp_path / "corrections.csv", tmp_path / "boxes.csv"
    corrections.write_text("file,name\n1.jpg,Aglia tau\n")
    boxes.write_text("file,x,y,width,height\nelsewhere/1.jpg,1,1,4,4\n")
    parameters = loader("test").parameters()[0]
    asked = parameters.predict.model_copy(
        update={
            "path": str(tmp_path / "photographs"),
            "corrections": str(corrections),
            "boxes": str(boxes),
        }
    )
    check_request(parameters.model_copy(update={"predict": asked}))
    assert caplog.messages == []

    read_corrections(str(corrections), "predict.corrections")
    assert caplog.messages == [
        f"predict.corrections: '{corrections}': the column 'file' is taken as file and the column "
        f"'name' is taken as name"
    ]
