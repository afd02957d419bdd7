"""Classes that are held out as unknown: no model is trained on them.

Trained models are evaluated on detecting them: open-set recognition, or out-of-distribution
detection with images of the same kind (Scheirer et al. 2013).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import pandas as pd

from longtail import parameters
from longtail.errors import ConfigurationError
from longtail.parameters import Dataset, FolderSource
from longtail.parameters.datasets import FEWEST_KNOWN_CLASSES

# The label of every image of an unknown class.
UNKNOWN_LABEL = -1


def unknown_classes(class_names: Iterable[str], dataset: Dataset) -> list[str]:
    """Return the names of a data set's unknown classes, sorted; none without ``unknown``.

    If the parameter is a number, classes are drawn by a hash of the seed and of each class name. An
    added class then changes the draw of at most one other class.

    Raises:
        ConfigurationError: if a name is not a class, or fewer than three classes would be known.
    """
    if dataset.unknown is None:
        return []
    names, wanted = sorted(set(class_names)), dataset.unknown.classes
    key = f"datasets.{dataset.name}.unknown.classes"
    count = wanted if isinstance(wanted, int) else len(wanted)
    if isinstance(wanted, tuple):
        mistakes = [
            parameters.unknown(name, names, "class") for name in wanted if name not in names
        ]
        if mistakes:
            lost = ". A class needs a usable image: the log says which files were rejected"
            reason = lost if isinstance(dataset.source, FolderSource) else ""
            raise ConfigurationError("\n".join(f"{key}: {of}{reason}" for of in mistakes))
    if len(names) < dataset.fewest_classes:
        raise ConfigurationError(
            f"{key}: with {count} of {len(names)} classes unknown, fewer than "
            f"{FEWEST_KNOWN_CLASSES} would be known: head, middle and tail have one each. Hold "
            f"out at most {max(len(names) - FEWEST_KNOWN_CLASSES, 0)}"
        )
    if isinstance(wanted, tuple):
        return sorted(wanted)
    seed = dataset.imbalance.seed
    drawn = sorted(names, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    return sorted(drawn[:wanted])


def with_unknown(index: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Return an index whose unknown classes have the label -1, and the others labels from 0 on.

    The others keep their order. Nothing else of the index changes.
    """
    unknown = index["class_name"].isin(unknown_classes(index["class_name"], dataset)).to_numpy()
    labels = np.full(len(index), UNKNOWN_LABEL, dtype=np.int64)
    labels[~unknown] = np.unique(index["label"].to_numpy()[~unknown], return_inverse=True)[1]
    return index.assign(label=labels)
