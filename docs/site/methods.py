"""The page of all methods: their recipes, and what is published and measured for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import yaml
from kedro.framework.project import settings
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from longtail.config import GridConfigLoader
from longtail.parameters import Method, family_label

PROJECT = Path(__file__).parents[2]
PUBLISHED = PROJECT / "src/longtail/reference/cifar100_lt.csv"
MEASURED = PROJECT / "docs/reference/results.md"
BENCHMARK = "CIFAR-100-LT-100"
INTRODUCTION = """# All methods

Generated from the parameters of `conf/benchmark`, the table of published results, and
[Measured results](results.md). Accuracies are on CIFAR-100-LT with imbalance factor 100 and
ResNet-32. What a method does: [Methods](../explanation/methods.md). Its recipe is the standard one
with the changes that are listed.
"""
COLUMNS = ("method", "name", "family", "recipe", "published", "note", "ours")
# A row of a table of measured results: the label of the method, and its accuracy with an interval.
ROW = re.compile(r"^\| ([^|]+?) \| (0\.\d{4} \[[^]]+\]) \|", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    files.append(File.generated(config, "reference/methods.md", content="\n".join(lines())))
    return files


def lines() -> Iterator[str]:
    """The lines of the page."""
    loader = GridConfigLoader(str(PROJECT / "conf"), env="benchmark", **settings.CONFIG_LOADER_ARGS)
    published = published_accuracies()
    measured = dict(ROW.findall(section(MEASURED.read_text(encoding="utf-8"))))
    yield INTRODUCTION
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|{' --- |' * len(COLUMNS)}"
    for method in loader.parameters()[0].methods.values():
        accuracy, note = published.get(method.name, ("", ""))
        ours = next((of for label, of in measured.items() if is_label(label, method)), "")
        family = "" if method.family is None else family_label(method.family)
        cells = (f"`{method.name}`", method.label, family, recipe(method), accuracy, note, ours)
        yield f"| {' | '.join(cells)} |"


def section(text: str) -> str:
    """What is measured on the benchmark."""
    return text.partition("\n## CIFAR-100-LT benchmark\n")[2].partition("\n## ")[0]


def is_label(label: str, method: Method) -> bool:
    """Whether a row of measured results, whose hyperparameters may be added, is of a method."""
    return label.partition(" (")[0] == method.label


def published_accuracies() -> dict[str, tuple[str, str]]:
    """The published accuracy of each method with its range, and what it was measured with."""
    table = pd.read_csv(PUBLISHED, keep_default_na=False, dtype=str)
    table = table[(table["table"] == BENCHMARK) & (table["metric"] == "acc1")]
    table = table[table["test_set"] == "balanced"]
    return {
        row["method"]: (
            f"{row['value']} ({row['low']} to {row['high']})" if row["low"] else row["value"],
            row["note"],
        )
        for row in table.to_dict("records")
    }


def recipe(method: Method) -> str:
    """What a method changes of the standard recipe, and its second stage."""
    changed = yaml.safe_dump(method.recipe, default_flow_style=True, sort_keys=False, width=1000)
    parts = [f"`{changed.strip()}`"] if method.recipe else []
    if method.second_stage is not None:
        parts.append(f"second stage of {method.second_stage.epochs} epochs")
    return ", ".join(parts)
