"""Synthetic labels, logits and tables of any size, for :mod:`benchmarks.growth`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from longtail.arrays import Float32Array, Int64Array

TEST_SETS = 12
# What is added to the logit of the true class, whose standard deviation is 1.
SKILL = 3.0
# The share of images that are recognised, where there are no logits.
ACCURACY = 0.6


def labels_of(classes: int, images: int) -> Int64Array:
    """Labels of equally many images of each class, shuffled."""
    labels = np.resize(np.arange(classes), images)
    return np.random.default_rng(0).permutation(labels).astype(np.int64)


def write_logits(labels: Int64Array, classes: int, file: Path) -> Path:
    """Write normal logits, larger for the true class, in blocks."""
    generator = np.random.default_rng(0)
    shape = (len(labels), classes)
    logits: Float32Array = np.lib.format.open_memmap(file, "w+", np.float32, shape)
    for start in range(0, len(labels), 1000):
        own = labels[start : start + 1000]
        block = generator.standard_normal((len(own), classes), dtype=np.float32)
        block[np.arange(len(own)), own] += SKILL
        logits[start : start + len(own)] = block
    del logits
    return file


def subsets_of(images: int) -> pd.DataFrame:
    """All images in one test set, and a random half in each of the others."""
    generator = np.random.default_rng(2)
    parts = [("natural", np.arange(images))]
    for number in range(TEST_SETS - 1):
        half = np.sort(generator.choice(images, images // 2, replace=False))
        parts.append((f"half{number}", half))
    frames = [pd.DataFrame({"role": "test", "name": name, "image": i}) for name, i in parts]
    return pd.concat(frames, ignore_index=True)


def profile_of(classes: int) -> pd.DataFrame:
    """A class profile with names of species."""
    numbers = np.arange(classes)
    group = np.array(["head", "middle", "tail"])[numbers * 3 // classes]
    names = [f"{_word(number // 7).capitalize()}a {_word(number)}ata" for number in range(classes)]
    table = {"label": numbers, "class_name": names, "rank": numbers, "group": group}
    sizes = np.maximum(1000 // (1 + numbers), 2)
    return pd.DataFrame(
        {
            **table,
            "train_balanced": 2,
            "train_long_tailed": sizes,
            "test_balanced": 3,
            "test_long_tailed": 3,
            "train_natural": sizes,
            "test_natural": 3,
        }
    )


def confusions_of(classes: int, trials: int) -> pd.DataFrame:
    """The confusions of three test images of each class in each trial."""
    generator = np.random.default_rng(3)
    labels = np.repeat(np.arange(classes), 3)
    parts = []
    for trial in range(trials):
        near = np.clip(labels + generator.integers(-3, 4, len(labels)), 0, classes - 1)
        guessed = np.where(generator.random(len(labels)) < ACCURACY, labels, near)
        pairs = pd.DataFrame({"true": labels, "predicted": guessed})
        counts = pairs.value_counts(sort=False).reset_index(name="images")
        names = {"dataset": "d", "train_set": "long_tailed", "backbone": "b", "method": "m"}
        parts.append(counts.assign(**names, seed=trial, test_set="balanced"))
    return pd.concat(parts, ignore_index=True)


def _word(number: int) -> str:
    """Letters that stand for a number, about as many as a scientific name has."""
    digits = np.base_repr(number, 16).lower().rjust(5, "0")
    return digits.translate(str.maketrans("0123456789", "ghijklmnop"))
