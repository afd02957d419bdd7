"""Tables that users open in a spreadsheet."""

from __future__ import annotations

from datetime import datetime
from typing import Never

import numpy as np
import pandas as pd
from kedro.io import DatasetError
from kedro_datasets.pandas import CSVDataset

from longtail.datasets.base import LocalVersionedDataset
from longtail.schemas.user_csv import read_csv
from longtail.storage.spreadsheet import guarded, unguarded

# Written into workbooks, so that equal tables give equal files.
CREATED = datetime(2000, 1, 1)


class TableDataset(CSVDataset):  # type: ignore[misc]
    """A CSV file whose cells no spreadsheet executes. Loading restores the original texts."""

    def load(self) -> pd.DataFrame:
        return unguarded(super().load())

    def save(self, data: pd.DataFrame) -> None:
        super().save(guarded(data))


class UserTableDataset(CSVDataset):  # type: ignore[misc]
    """A read-only CSV file of a user, in any format in which spreadsheets save it.

    Cells are loaded as texts: table 2.10 is not table 2.1, and 0.230 has three decimals. Empty
    cells are missing values.
    """

    def load(self) -> pd.DataFrame:
        file = str(self._filepath)
        return read_csv(file, file).replace("", np.nan)

    def save(self, data: pd.DataFrame) -> Never:  # noqa: ARG002
        raise DatasetError("a table of a user is only read")


class WorkbookDataset(LocalVersionedDataset[pd.DataFrame, Never]):
    """An ``.xlsx`` file with one sheet for readers: texts stay texts, and nothing is executed.

    Equal tables give equal files.
    """

    def load(self) -> Never:
        raise DatasetError("a workbook is for people: load the CSV file of the same table")

    def save(self, data: pd.DataFrame) -> None:
        # Texts that look like formulas, links or numbers stay as they are.
        kinds = ("formulas", "urls", "numbers")
        options = {f"strings_to_{kind}": False for kind in kinds}
        with (
            self.writing() as draft,
            draft.open("wb") as file,
            pd.ExcelWriter(file, engine="xlsxwriter", engine_kwargs={"options": options}) as writer,
        ):
            writer.book.set_properties({"created": CREATED})
            data.to_excel(writer, index=False, freeze_panes=(1, 1))
