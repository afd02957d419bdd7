"""The thesis' appendix tables: from tidy results to wide scores to LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from longtail.parameters import Table

TEST_SETS = {
    "balanced": "Balanced",
    "long_tailed": "Long-tailed",
    "head": "Head",
    "middle": "Middle",
    "tail": "Tail",
}
METRICS = {"loss": "Loss", "acc1": "Acc1", "f1": "F1"}
SMALLER_IS_BETTER = {"loss"}
TRAIN_SETS = {"balanced": "balanced", "long_tailed": "long-tailed", "matched": "matched"}
MISSING = "--"


@dataclass(frozen=True)
class Cell:
    """One printed number, and whether it is the best of its column."""

    text: str
    best: bool


@dataclass(frozen=True)
class PrintedTable:
    """A table as it is printed, in whatever form.

    Attributes:
        number: of the table in the appendix.
        caption: what it shows.
        metrics: the columns below each test set.
        rows: the label and the cells of each method, test set by test set.
        notes: what a reader must know to read it.
    """

    number: int
    caption: str
    metrics: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    notes: tuple[str, ...]


def rows_of(results: pd.DataFrame, table: Table) -> pd.DataFrame:
    """The results that a table shows: all seeds and test sets of its trials."""
    return results[
        (results["backbone"] == table.backbone)
        & (results["train_set"] == table.train_set)
        & results["method"].isin(list(table.methods))
    ]


def wide_scores(results: pd.DataFrame, table: Table) -> pd.DataFrame:
    """One row a method, one column a test set and metric (``tail_acc1``), means over seeds.

    A method without results, because its trial failed or has not run, has empty cells.
    """
    chosen = rows_of(results, table)
    means = chosen.groupby(["method", "test_set"])[list(METRICS)].mean()
    wide = pd.DataFrame(
        {
            "backbone": table.backbone,
            "train_set": table.train_set,
            "method": list(table.methods),
            "label": list(table.methods.values()),
        }
    )
    for test_set in TEST_SETS:
        for metric in METRICS:
            cells = [(method, test_set) for method in table.methods]
            wide[f"{test_set}_{metric}"] = means[metric].reindex(cells).to_numpy()
    return wide


def printed(
    results: pd.DataFrame, table: Table, metrics: Sequence[str], number: int
) -> PrintedTable:
    """A table with four decimals and the best of each column marked (ties all marked)."""
    chosen = rows_of(results, table)
    scores = wide_scores(results, table)
    columns = [f"{test_set}_{metric}" for test_set in TEST_SETS for metric in metrics]
    best = {column: _best(scores[column], column) for column in columns}
    rows = []
    for _, row in scores.iterrows():
        texts = [_text(row[column]) for column in columns]
        marked = [t != MISSING and t == best[c] for t, c in zip(texts, columns, strict=True)]
        rows.append((str(row["label"]), tuple(map(Cell, texts, marked))))
    seeds = chosen["seed"].nunique()
    caption = (
        f"Evaluation results for {table.backbone_label} trained on the "
        f"{TRAIN_SETS[table.train_set]} dataset, showing "
        + _listed([METRICS[metric] for metric in metrics])
        + (" for each test set" if len(metrics) > 1 else "")
        + (f" (means of {seeds} seeds)" if seeds > 1 else "")
        + "."
    )
    return PrintedTable(
        number=number,
        caption=caption,
        metrics=tuple(metrics),
        rows=tuple(rows),
        notes=shared_training_notes(chosen, table),
    )


def shared_training_notes(rows: pd.DataFrame, table: Table) -> tuple[str, ...]:
    """Which rows are one training, because their losses coincide on these class counts."""
    trainings = rows.drop_duplicates(["method", "fingerprint"])
    notes = dict[str, None]()
    for _, group in trainings.groupby("fingerprint", sort=False):
        if len(group) > 1:
            labels = [table.methods[method] for method in group["method"]]
            notes[
                f"{_listed(labels)} are one training: on these class counts their losses are the "
                f"same function."
            ] = None
    return tuple(notes)


def latex(table: PrintedTable) -> str:
    r"""A ``table`` environment for booktabs and graphicx."""
    groups = len(table.metrics)
    lines = [
        r"\begin{table}[htbp]",
        r"\centering",
        rf"\setcounter{{table}}{{{table.number - 1}}}",
    ]
    body = [rf"\begin{{tabular}}{{l{'c' * groups * len(TEST_SETS)}}}", r"\toprule"]
    if groups > 1:
        heads = " & ".join(
            rf"\multicolumn{{{groups}}}{{c}}{{{name}}}" for name in TEST_SETS.values()
        )
        body.append(rf"Loss function & {heads} \\")
        body += [
            rf"\cmidrule(lr){{{2 + i * groups}-{1 + (i + 1) * groups}}}"
            for i in range(len(TEST_SETS))
        ]
        body.append(
            " & " + " & ".join([METRICS[m] for m in table.metrics] * len(TEST_SETS)) + r" \\"
        )
    else:
        body.append("Loss function & " + " & ".join(TEST_SETS.values()) + r" \\")
    body.append(r"\midrule")
    for label, cells in table.rows:
        texts = [rf"\textbf{{{cell.text}}}" if cell.best else cell.text for cell in cells]
        body.append(" & ".join([escaped(label), *texts]) + r" \\")
    body += [r"\bottomrule", r"\end{tabular}"]
    if groups > 1:
        lines += [r"\setlength{\tabcolsep}{3pt}%", r"\resizebox{\textwidth}{!}{%", *body, "}"]
    else:
        lines += body
    lines.append(rf"\caption{{{escaped(table.caption)}}}")
    if table.notes:
        lines.append(rf"\par\smallskip\footnotesize {escaped(' '.join(table.notes))}")
    lines.append(r"\end{table}")
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text with LaTeX's special characters made harmless."""
    special = {c: f"\\{c}" for c in "&%$#_{}"}
    special |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    special |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
    return "".join(special.get(character, character) for character in text)


def _best(values: pd.Series[float], column: str) -> str:
    smaller = column.rpartition("_")[2] in SMALLER_IS_BETTER
    return _text(values.min() if smaller else values.max())


def _text(value: float) -> str:
    return MISSING if pd.isna(value) else f"{value:.4f}"


def _listed(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])}{',' if len(words) > 2 else ''} and {words[-1]}"
