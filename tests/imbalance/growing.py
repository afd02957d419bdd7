"""Data sets whose photographs become more."""

from __future__ import annotations

from typing import Any

import pandas as pd

from longtail.parameters import (
    Dataset,
    ExponentialProfile,
    FolderSource,
    Imbalance,
    PerClassHoldout,
    RankGroups,
    StratifiedHoldout,
)
from longtail.sources.images import index_of

# Of each photograph: its name, its class and its group.
Photographs = list[tuple[str, int, str]]


def dataset(holdout: dict[str, Any] | None = None, seed: int = 0) -> Dataset:
    stratified = StratifiedHoldout(kind="stratified", test=0.25, validation=0.15)
    return Dataset(
        name="moths",
        label="Moths",
        source=FolderSource(kind="folder", path="/moths", image_size=24),
        imbalance=Imbalance(
            holdout=PerClassHoldout(**holdout) if holdout else stratified,
            profile=ExponentialProfile(kind="exponential", imbalance_factor=2),
            class_order="size",
            groups=RankGroups(kind="thirds"),
            seed=seed,
        ),
    )


def index_with(photographs: Photographs) -> pd.DataFrame:
    """An index in the order of classes and names, as a folder has it."""
    rows = sorted(photographs, key=lambda each: (each[1], each[0]))
    labels = [label for _, label, _ in rows]
    names = [f"class {label}" for label in range(max(labels) + 1)]
    index = index_of([name for name, *_ in rows], labels, names, [""] * len(rows))
    first: dict[str, int] = {}
    groups = [first.setdefault(group, place) for place, (*_, group) in enumerate(rows)]
    return index.assign(group=groups)


def drawn_photographs(sizes: list[list[int]], prefix: str) -> Photographs:
    return [
        (f"{prefix}{label}.{group}.{number}", label, f"{prefix}{label}.{group}")
        for label, of_class in enumerate(sizes)
        for group, size in enumerate(of_class)
        for number in range(size)
    ]
