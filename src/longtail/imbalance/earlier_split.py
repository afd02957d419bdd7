"""The split of an earlier run, which photographs keep when a data set changes."""

from __future__ import annotations

import pandas as pd

from longtail.imbalance.holdout import hold_out
from longtail.imbalance.subsets import CONFIRMED
from longtail.parameters import Dataset, FolderSource, PerClassHoldout, StratifiedHoldout


def draws_test(dataset: Dataset) -> bool:
    """True if a data set can grow and its hold-out draws the test images, unless they are given."""
    draws = isinstance(dataset.imbalance.holdout, PerClassHoldout | StratifiedHoldout)
    return draws and isinstance(dataset.source, FolderSource)


def is_drawn(index: pd.DataFrame, dataset: Dataset) -> bool:
    """True if the hold-out draws the test images, so that they change when images are added."""
    return draws_test(dataset) and not index["split"].eq("test").any()


def drawn_with(dataset: Dataset) -> str:
    """Describe the settings that a draw depends on: another setting gives another draw.

    Examples:
        "seed 0, stratified hold-out (test 0.25, validation 0.15, minimum 1), 256 pixels"
    """
    assert isinstance(dataset.source, FolderSource)  # is_drawn()
    options = dataset.imbalance.holdout.model_dump()
    kind = options.pop("kind")
    listed = ", ".join(f"{name} {value}" for name, value in options.items())
    return (
        f"seed {dataset.imbalance.seed}, {kind} hold-out ({listed}), "
        f"{dataset.source.image_size} pixels"
    )


def split_of(
    index: pd.DataFrame, dataset: Dataset, earlier: pd.Series[str] | None = None
) -> pd.Series[str]:
    """Return the split of each image of a known class, by the number of the image.

    Photographs that a person has confirmed are left out: they are only trained on.

    Raises:
        DataError: as :func:`longtail.imbalance.holdout.hold_out`.
    """
    imbalance = dataset.imbalance
    pools = hold_out(
        index,
        imbalance.holdout,
        imbalance.seed,
        dataset.name,
        keep_splits=dataset.keeps_official_splits,
        earlier=earlier,
    )
    by_split = {"train": pools.train, "validation": pools.validation, "test": pools.test}
    split = pd.concat(
        pd.Series(name, index=images) for name, pool in by_split.items() for images in pool
    )
    confirmed = index.loc[index["split"] == CONFIRMED, "image"]
    return split.drop(confirmed, errors="ignore")


def with_earlier_split(
    index: pd.DataFrame, dataset: Dataset, earlier: pd.Series[str]
) -> pd.DataFrame:
    """Return an index whose split keeps the earlier one, where the hold-out would draw another.

    If the hold-out draws the same split as before, the index is returned unchanged.

    Args:
        index: one row per image.
        dataset: data set with its hold-out and its seed.
        earlier: split of the images of known classes in an earlier run, by image number.
    """
    drawn = split_of(index, dataset)
    if drawn.reindex(earlier.index).equals(earlier):
        return index
    kept = split_of(index, dataset, earlier)
    return index.assign(split=index["image"].map(kept).fillna(index["split"]))
