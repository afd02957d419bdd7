"""The records of which photographs tested, by the checksum of their pixels.

A file for each data set, ``<data set>.csv``, has the splits of finished runs, so that photographs
that tested a model test later ones too, however many others join or leave the data set.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from longtail.errors import DataError
from longtail.imbalance.earlier_split import (
    drawn_with,
    draws_test,
    is_drawn,
    split_of,
    with_earlier_split,
)
from longtail.imbalance.subsets import CONFIRMED
from longtail.parameters import Dataset
from longtail.storage.files import atomic_file, checksum_file, matches_checksum, write_checksum
from longtail.storage.spreadsheet import write_csv
from longtail.storage.write_errors import write_errors_explained
from longtail.wording import counted, is_or_are

log = logging.getLogger(__name__)


def keep_earlier_split(index: pd.DataFrame, dataset: Dataset, folder: Path) -> pd.DataFrame:
    """The index with the split of earlier runs, if there is one and the hold-out draws another.

    Raises:
        DataError: if the record is damaged.
    """
    if not is_drawn(index, dataset):
        return index
    record = _read(folder / f"{dataset.name}.csv")
    now = drawn_with(dataset)
    recorded = record[record["drawn_with"] == now]
    if recorded.empty:
        if len(record):
            log.warning(
                "%s: a new split is drawn (%s), so test photographs of earlier runs may train now. "
                "To compare models on the same photographs, go back to %s",
                dataset.name,
                now,
                record["drawn_with"].iloc[-1],
            )
        return index
    by_hash = recorded.set_index("sha256")["split"]
    here = index[(index["split"] != CONFIRMED) & (index["label"] >= 0)]
    earlier = here.set_index("image")["sha256"].map(by_hash).dropna()
    kept = with_earlier_split(index, dataset, earlier)
    if kept is index:
        return index
    tested = recorded.loc[recorded["split"] == "test", "sha256"]
    gone = int((~tested.isin(here["sha256"])).sum())
    again = int(tested.isin(kept.loc[kept["split"] == "test", "sha256"]).sum())
    log.info(
        "%s: %s of %s of earlier runs %s again%s",
        dataset.name,
        f"{again:,}",
        counted(len(tested), "test photograph"),
        "tests" if again == 1 else "test",
        f"; {gone:,} {is_or_are(gone)} not in the data set now" if gone else "",
    )
    return kept


def record_split(index: pd.DataFrame, dataset: Dataset, folder: Path) -> None:
    """Record the split of a finished run; photographs that have left the data set stay recorded.

    Nothing is recorded of a data set whose source says which images test.
    """
    file = folder / f"{dataset.name}.csv"
    record = _read(file)
    if not draws_test(dataset) or "sha256" not in index:
        return
    now = drawn_with(dataset)
    if not is_drawn(index, dataset) and not record["drawn_with"].eq(now).any():
        return
    # What a person has confirmed has trained, and trains when it moves into the folders, too.
    confirmed = pd.Series("train", index=index.loc[index["split"] == CONFIRMED, "image"])
    split = pd.concat([split_of(index, dataset), confirmed])
    rows = pd.DataFrame(
        {
            "drawn_with": now,
            "sha256": index.set_index("image").loc[split.index, "sha256"].to_numpy(),
            "split": split.to_numpy(),
        }
    )
    rows = pd.concat([record, rows]).drop_duplicates(["drawn_with", "sha256"], keep="last")
    rows = rows.sort_values(["drawn_with", "sha256"], ignore_index=True)
    if rows.equals(record):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with write_errors_explained(file), atomic_file(file) as draft:
        write_csv(rows, draft)
        write_checksum(file, draft)


def _read(file: Path) -> pd.DataFrame:
    from longtail.schemas.data import EARLIER_SPLITS
    from longtail.schemas.validation import validate

    if not file.is_file():
        return pd.DataFrame(columns=list(EARLIER_SPLITS.columns), dtype=str)
    if not matches_checksum(file):
        raise DataError(
            f"{file} is not what was saved ({checksum_file(file).name}). Restore it from a backup. "
            f"Or delete both: a new split is drawn then if the data set has changed, and test "
            f"photographs of earlier runs may train"
        )
    return validate(pd.read_csv(file, dtype=str, keep_default_na=False), EARLIER_SPLITS, str(file))
