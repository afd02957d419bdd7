"""The split of an earlier run, which photographs keep when a data set changes."""

from __future__ import annotations

import pandas as pd

from longtail.imbalance.holdout import hold_out
from longtail.imbalance.subsets import CONFIRMED
from longtail.parameters import Dataset, FolderSource, PerClassHoldout, StratifiedHoldout


def draws_test(dataset: Dataset) -> bool:
    """Whether a data set can grow, and its hold-out draws the test images unless they are given."""
    draws = isinstance(dataset.imbalance.holdout, PerClassHoldout | StratifiedHoldout)
    return draws and isinstance(dataset.source, FolderSource)


def is_drawn(index: pd.DataFrame, dataset: Dataset) -> bool:
    """Whether the hold-out draws the test images, so that they move when images are added."""
    return draws_test(dataset) and not index["split"].eq("test").any()


def drawn_with(dataset: Dataset) -> str:
    """What a draw depends on beside the images, in words: another setting is another draw.

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
    """The split of each image of a known class, by the number of the image.

    Photographs that a person has confirmed are left out: they only train.

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
    """An index with a split that keeps the earlier one, where the hold-out would draw another.

    An index for which the hold-out draws the same as before is returned as it is.

    Args:
        index: one row per image.
        dataset: its hold-out and its seed.
        earlier: the split that images of known classes had in an earlier run, by their numbers.
    """
    drawn = split_of(index, dataset)
    if drawn.reindex(earlier.index).equals(earlier):
        return index
    kept = split_of(index, dataset, earlier)
    return index.assign(split=index["image"].map(kept).fillna(index["split"]))
