"""Copies of tables for spreadsheets, opened by another program."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError
from kedro.io.core import Version
from openpyxl import load_workbook

from longtail.datasets.table import WorkbookDataset
from tests.pipelines.support import loader, pipelines

TABLE = pd.DataFrame(
    {
        "file": ["=1+1.jpg", "https://a.b/c.jpg", "007", None],
        "probability": [0.5, 1.0, float("nan"), 0.25],
        "trusted": [True, False, True, False],
    }
)


def saved(folder: Path, version: str) -> Path:
    file = folder / "names.xlsx"
    WorkbookDataset(filepath=str(file), version=Version(None, version)).save(TABLE)
    return file / version / "names.xlsx"


def test_texts_and_numbers_stay_what_they_are(tmp_path: Path) -> None:
    sheet = load_workbook(saved(tmp_path, "1")).active
    assert [cell.value for cell in sheet[1]] == list(TABLE)
    assert [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)] == [
        ["=1+1.jpg", 0.5, True],
        ["https://a.b/c.jpg", 1, False],
        ["007", None, True],
        [None, 0.25, False],
    ]
    assert [cell.data_type for cell in sheet["A"][1:4]] == ["s", "s", "s"]  # no formula
    assert sheet["A3"].hyperlink is None
    assert sheet.freeze_panes == "B2"


def test_equal_tables_give_equal_files(tmp_path: Path) -> None:
    assert saved(tmp_path, "1").read_bytes() == saved(tmp_path, "2").read_bytes()


def test_it_is_not_read_again(tmp_path: Path) -> None:
    file = saved(tmp_path, "1").parents[1]
    with pytest.raises(DatasetError, match="load the CSV file of the same table"):
        WorkbookDataset(filepath=str(file), version=Version(None, "2")).load()


def test_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    entries = loader("moths", data=str(tmp_path))["catalog"]
    entry = entries["{dataset}_names_semicolons"] | {"filepath": str(tmp_path / "names.csv")}
    catalog = DataCatalog.from_config({"names": entry}, save_version="1")
    catalog.save("names", TABLE)
    content = (tmp_path / "names.csv/1/names.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbffile;probability;trusted\n'=1+1.jpg;0,5;True\n")
    assert catalog.load("names")["file"].tolist()[:3] == TABLE["file"].tolist()[:3]


@pytest.mark.parametrize("kind", ["xlsx", "semicolons", None])
def test_predict_makes_the_copy_that_is_asked_for(kind: str | None) -> None:
    outputs = pipelines("test", predict={"spreadsheet": kind})["predict"].all_outputs()
    copies = outputs & {"digits_names_xlsx", "digits_names_semicolons"}
    assert copies == ({f"digits_names_{kind}"} if kind else set())
