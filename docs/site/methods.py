"""The table of all methods: ``python -m docs.site.methods`` writes it into its page.

From their parameters, the published results and the measured ones.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from kedro.framework.project import configure_project, settings

from longtail.config import GridConfigLoader
from longtail.parameters import Method, family_label
from longtail.published.results import shipped

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs/reference/methods.md"
MEASURED = PROJECT / "docs/reference/results.md"
EXPLAINED = PROJECT / "docs/explanation/methods.md"
FACTORS = (100, 50, 10)
INTRODUCTION = """# All methods

Written by `python -m docs.site.methods` from `conf/base/parameters/methods.yml` with the changes of
`conf/benchmark`, the published results in `src/longtail/reference`, and
[Measured results](results.md).

Accuracies are for CIFAR-100-LT with ResNet-32, on the 10,000 balanced test images, by imbalance
factor. "Ours" are of one seed, with a 95 % interval over test images; two values are two trainings.
Published ranges are over seeds. The recipe alone moves an accuracy by 2 to 5 points, so compare
only rows of one recipe. In the parameters of a method, `recipe` is what it changes in the
[standard recipe](../explanation/methods.md#published-accuracies). The published accuracies of
`two_stage_experts` and `proco` are with the recipes in `conf/record`.
"""
VARIANTS = """
## Published accuracies of other settings

No method above has these settings.
"""
COLUMNS = (
    *("method", "family", "ours, 100", "published, 100", "50", "10"),
    *("published with", "paper", "parameters"),
)
# A row of a table of measured results: the label of the method, and its accuracy with an interval.
ROW = re.compile(r"^\| ([^|]+?) \| (0\.\d{4} \[[^]]+\]) \|", re.MULTILINE)
ARXIV = re.compile(r"arXiv ([\d.]+\d)")
SECTION = re.compile(r"^##+ (.+)\n\n\*Methods: (.+)\*$", re.MULTILINE)


def page() -> str:
    """The whole page."""
    configure_project("longtail")
    loader = GridConfigLoader(str(PROJECT / "conf"), env="benchmark", **settings.CONFIG_LOADER_ARGS)
    methods = loader.parameters()[0].methods
    published, measured = published_accuracies(), measured_accuracies()
    sections = sections_of_methods()
    if unexplained := sorted(methods.keys() - sections.keys()):
        raise LookupError(
            f"docs/explanation/methods.md has no section that begins with "
            f"*Methods: `{unexplained[0]}`*, as each method needs"
        )
    labels = {method.label for method in methods.values()}
    rows = []
    for name, method in methods.items():
        ours = [value for label, value in measured if row_label(label, labels) == method.label]
        rows.append(
            (
                f"[{method.label}](../explanation/methods.md#{sections[name]}), `{name}`",
                "" if method.family is None else family_label(method.family),
                "; ".join(ours),
                *published.pop(name, ("",) * (len(FACTORS) + 1)),
                re.sub(ARXIV, r"[\g<0>](https://arxiv.org/abs/\1)", method.paper or ""),
                f"`{parameters_of(method)}`",
            )
        )
    variants = [(f"`{name}`", *cells) for name, cells in published.items()]
    heads = ("setting", *COLUMNS[3:7])
    return "\n".join([INTRODUCTION, *table(COLUMNS, rows), VARIANTS, *table(heads, variants), ""])


def table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    """The lines of a table."""
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def measured_accuracies() -> list[tuple[str, str]]:
    """The label and the accuracy of each row that is measured on the benchmark."""
    text = MEASURED.read_text(encoding="utf-8")
    section = text.partition("\n## CIFAR-100-LT benchmark\n")[2].partition("\n## ")[0]
    return ROW.findall(section)


def row_label(label: str, labels: Collection[str]) -> str:
    """The method's label in a measured row, where hyperparameters may follow in brackets."""
    return label if label in labels else label.rpartition(" (")[0] or label


def sections_of_methods() -> dict[str, str]:
    """The anchor of the section that explains each method."""
    return {
        method.strip("`"): re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title, methods in SECTION.findall(EXPLAINED.read_text(encoding="utf-8"))
        for method in methods.split(", ")
    }


def published_accuracies() -> dict[str, tuple[str, ...]]:
    """The published accuracies of each method by imbalance factor, and what they are of."""
    results = pd.concat([shipped("cifar100_lt"), shipped("cifar100_lt_record")])
    chosen = results[(results["metric"] == "acc1") & (results["test_set"] == "balanced")]
    found = {}
    for method, own in chosen.groupby("method", sort=False):
        by_factor = own.set_index("imbalance_factor").to_dict("index")
        notes = dict.fromkeys(note for note in own["note"] if note)
        cells = [accuracy(by_factor[factor]) if factor in by_factor else "" for factor in FACTORS]
        found[str(method)] = (*cells, "; ".join(notes))
    return found


def accuracy(row: Mapping[Any, Any]) -> str:
    """A published accuracy, with its range if there is one."""
    value = f"{row['value']:.4f}".removesuffix("0")
    return f"{value} ({row['low']:.3f} to {row['high']:.3f})" if row["low"] > 0 else value


def parameters_of(method: Method) -> str:
    """What a method sets, but for its names, as YAML without the outer brackets."""
    names = {"name", "label", "family", "paper"}
    own = method.model_dump(mode="json", exclude=names, exclude_unset=True)
    text = yaml.safe_dump(own, default_flow_style=True, sort_keys=False, width=10_000)
    return text.strip().removeprefix("{").removesuffix("}")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
