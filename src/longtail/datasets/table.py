"""Tables that users open in a spreadsheet."""

from __future__ import annotations

import pandas as pd
from kedro_datasets.pandas import CSVDataset

from longtail.storage.spreadsheet import guarded, unguarded


class TableDataset(CSVDataset):  # type: ignore[misc]
    """A CSV file none of whose cells a spreadsheet executes; loading gives the original texts."""

    def load(self) -> pd.DataFrame:
        return unguarded(super().load())

    def save(self, data: pd.DataFrame) -> None:
        super().save(guarded(data))
