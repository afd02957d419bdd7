"""Cells that a spreadsheet would execute."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest
import yaml
from kedro.io.core import generate_timestamp

from longtail.catalog import LongtailCatalog
from longtail.schemas.user_csv import read_csv
from longtail.storage.spreadsheet import guarded, unguarded, write_csv
from tests.projects import PROJECT

DANGEROUS = (
    *("=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "\tx", "\rx", " =1", "\xa0=1"),
    *('"=1', "'=1", "''=1", "\u201c=1", "\ufeff=1", "\u200b=1", "=cmd|' /C calc'!A0", "-3.5-1"),
    *("\uff1d1", "\uff0bA1", "\uff0dA1", "\uff20A1", "-x", "+49 89 1234", "Noctua;=1", "a;\t=1"),
)
HARMLESS = (
    *("", "-", "Noctua comes", "Noctua c-nigrum", "a=b", "a@b.de", "./=1.png", "-3.5", "+0.1"),
    *("-1e-05", "-.5", "'quoted'", "don't know", "O'Brien", "-3.5;-2", "0.1;+2.5e3", "a; b", "NA"),
)


@pytest.mark.parametrize("text", DANGEROUS)
def test_dangerous_texts_begin_with_an_apostrophe_in_every_cell(text: str) -> None:
    [cell] = guarded(pd.DataFrame({"a": [text]}))["a"]
    for part in cell.split(";") if ";" in text else [cell]:
        assert part.startswith(("'", "Noctua", "a"))
    assert cell.replace("'", "") == text.replace("'", "")
    assert unguarded(pd.DataFrame({"a": [cell]}))["a"].tolist() == [text]


@pytest.mark.parametrize("text", HARMLESS)
def test_other_texts_stay_and_are_read_as_they_are(text: str) -> None:
    assert guarded(pd.DataFrame({"a": [text]}))["a"].tolist() == [text]
    assert unguarded(pd.DataFrame({"a": [text]}))["a"].tolist() == [text]


def test_types_and_missing_values_stay() -> None:
    table = pd.DataFrame(
        {
            "number": [-1.5, float("nan")],
            "count": pd.array([-1, None], dtype="Int64"),
            "text": pd.array(["=1", None], dtype="str"),
            "mixed": pd.Series([-2, "+x"], dtype=object),
            "=rank": ["-", "b"],
        }
    )
    cells = guarded(table)
    assert cells.columns.tolist() == ["number", "count", "text", "mixed", "'=rank"]
    assert cells["mixed"].tolist() == [-2, "'+x"]
    pd.testing.assert_frame_equal(unguarded(cells), table)
    assert table.columns[-1] == "=rank"


def entries() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for file in (PROJECT / "conf/base/catalog").glob("*.yml"):
        found |= yaml.safe_load(file.read_text(encoding="utf-8"))
    return {n: of for n, of in found.items() if str(of).count(".csv") and not n.startswith("_")}


def test_every_table_that_the_project_writes_is_guarded() -> None:
    kinds = {name: of["type"] for name, of in entries().items()}
    assert kinds.pop("published_{name}") == "longtail.datasets.table.UserTableDataset"
    # Programs read Darwin Core, and would take an apostrophe for a part of a path.
    assert kinds.pop("{dataset}_occurrences") == "pandas.CSVDataset"
    assert set(kinds.values()) == {"longtail.datasets.table.TableDataset"}
    assert len(kinds) > 30
    writers = {
        file.name
        for file in (PROJECT / "src").rglob("*.py")
        if ".to_csv(" in file.read_text(encoding="utf-8")
    }
    # The store writes numbers only; others take checksums of tables.
    hashed = {"names_page.py", "name_photographs.py"}
    assert writers == {"spreadsheet.py", "store.py", "camtrap_dp.py", *hashed}


def test_the_catalog_saves_guarded_cells_and_loads_the_names(tmp_path: Path) -> None:
    entry = entries()["{dataset}_confused_pairs"] | {"filepath": str(tmp_path / "pairs.csv")}
    del entry["validator"]
    made = LongtailCatalog.from_config({"pairs": entry}, save_version=generate_timestamp())
    table = pd.DataFrame({"class": ["=1", "Noctua"], "@genus": ["\tx", "NA"]}, dtype="str")
    made.save("pairs", table)
    [file] = tmp_path.rglob("*/pairs.csv")
    with file.open(newline="", encoding="utf-8") as content:
        assert list(csv.reader(content)) == [
            ["class", "'@genus"],
            ["'=1", "'\tx"],
            ["Noctua", "NA"],
        ]
    pd.testing.assert_frame_equal(made.load("pairs"), table)


def test_occurrences_have_the_paths_of_the_photographs(tmp_path: Path) -> None:
    entry = entries()["{dataset}_occurrences"] | {"filepath": str(tmp_path / "occurrences.csv")}
    del entry["validator"]
    made = LongtailCatalog.from_config({"occurrences": entry}, save_version=generate_timestamp())
    table = pd.DataFrame({"occurrenceID": ["=a.jpg", "-b.jpg"]}, dtype="str")
    made.save("occurrences", table)
    [file] = tmp_path.rglob("*/occurrences.csv")
    assert file.read_text() == "occurrenceID\n=a.jpg\n-b.jpg\n"
    pd.testing.assert_frame_equal(made.load("occurrences"), table)


def test_a_table_of_ours_that_a_user_gives_back_has_the_original_names(tmp_path: Path) -> None:
    names = ["=1+1", "Noctua", "-x", "'@y"]
    write_csv(pd.DataFrame({"species": names, "+family": names}), tmp_path / "a.csv")
    table = read_csv(str(tmp_path / "a.csv"), "key")
    assert table["species"].tolist() == table["+family"].tolist() == names
