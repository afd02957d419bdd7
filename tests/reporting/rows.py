"""Small tables of results as the train stage makes them, and documents as LaTeX prints them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from longtail.evaluation.comparisons import COMPARISON_COLUMNS
from longtail.evaluation.summaries import SUMMARISED_METRICS, summarise
from longtail.parameters import Contents, Statistics, Table
from longtail.reporting.tables.layouts import BALANCED_PART_LABELS, TEST_SET_LABELS
from longtail.trials.post_hoc import NONE

STATISTICS = Statistics(confidence=0.95, resamples=1000, seed=0)
ALL_TEST_SETS = (*TEST_SET_LABELS, *BALANCED_PART_LABELS)
# Half of each figure's interval, which is as wide below the figure as above it.
HALF = 0.0625


def make_table(*methods: str, **changes: Any) -> Table:
    """A table of MobileNetV2 trained balanced; methods are labelled by their names in capitals."""
    values = {
        "dataset": "toy",
        "backbone": "mobilenetv2",
        "backbone_label": "MobileNetV2",
        "train_set": "balanced",
        "methods": {method: method.upper() for method in methods or ("softmax", "focal", "ldam")},
        "seeds": (0,),
        "number": 1,
    }
    return Table(**{**values, **changes})


def make_contents(*tables: Table, **changes: Any) -> Contents:
    """What a report of these tables has, on data that are cut to be long-tailed."""
    values = {"label": "Toy", "grouped_by": "long_tailed", "tables": tables, "methods": ()}
    return Contents(**{**values, **changes})


def make_results(
    *trials: tuple[str, int, float], test_sets: Iterable[str] = ALL_TEST_SETS, **changes: Any
) -> pd.DataFrame:
    """Tidy results, from each trial's method, seed and accuracy.

    The loss is 1 more than the accuracy, F1 half of it, and every other metric the accuracy.
    """
    rows = []
    for method, seed, acc1 in trials:
        figures = dict.fromkeys(SUMMARISED_METRICS, acc1) | {"loss": 1 + acc1, "f1": acc1 / 2}
        ends = {f"{name}_low": value - HALF for name, value in figures.items()}
        ends |= {f"{name}_high": value + HALF for name, value in figures.items()}
        names = {
            "dataset": "toy",
            "train_set": "balanced",
            "backbone": "mobilenetv2",
            "method": method,
            "seed": seed,
            "fingerprint": f"{method}{seed}",
            "post_hoc": NONE,
            "five_crop_size": None,
        }
        rows += [
            {**names, "test_set": test_set, "images": 100, "images_sha256": "ab" * 32, **figures}
            | {**ends, **changes}
            for test_set in test_sets
        ]
    return pd.DataFrame(rows)


def make_summaries(*trials: tuple[str, int, float], **changes: Any) -> pd.DataFrame:
    """The scores of :func:`make_results`."""
    return summarise(make_results(*trials, **changes), STATISTICS.confidence)


def make_comparisons(
    *pairs: tuple[str, str, float],
    test_sets: Iterable[str] = ALL_TEST_SETS,
    metrics: Iterable[str] = ("acc1", "f1"),
    values: Mapping[str, float] | None = None,
    **changes: Any,
) -> pd.DataFrame:
    """Paired tests, from the two methods and the p-value of each.

    The differences are those of ``values``, a figure a method; they are missing without.
    """
    known = values or {}
    nothing = float("nan")
    usual = {"dataset": "toy", "train_set": "balanced", "backbone": "mobilenetv2"}
    rows = [
        {**usual, "test_set": test_set, "metric": metric, "first": one, "second": two, "p": p}
        | {"difference": known.get(one, nothing) - known.get(two, nothing)}
        | changes
        for test_set in test_sets
        for metric in metrics
        for one, two, p in pairs
    ]
    return pd.DataFrame(rows, columns=COMPARISON_COLUMNS)


def compiled(document: str, folder: Path) -> str:
    """The text that pdflatex prints of a document, on one line."""
    for program in ("pdflatex", "pdftotext"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    # Words stay whole, so that they can be searched.
    whole = r"\begin{document}\hyphenpenalty=10000\exhyphenpenalty=10000 "
    document = document.replace(r"\begin{document}", whole, 1)
    (folder / "document.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "document.tex"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:]
    assert "Overfull" not in run.stdout
    command = ["pdftotext", "-layout", "document.pdf", "-"]
    text = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    return " ".join(text.split())
