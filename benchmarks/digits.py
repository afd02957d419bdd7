"""``python -m benchmarks.digits``: what another seed or processor changes on the digits.

It trains all methods with three seeds on three sets of processor instructions, prints two tables
and, with ``--write``, replaces them in docs/reference/results.md. ``--check`` trains on this
processor alone and fails if a documented figure differs by more than the tolerance: processors
round differently, so the documented figures are an example.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import rich

from longtail.evaluation.summaries import summarise

PAGE = Path(__file__).parents[1] / "docs/reference/results.md"
BEGIN, END = "<!-- python -m benchmarks.digits --write -->", "<!-- end -->"
GRID = "grid.backbones=[mobilenetv2_micro],grid.train_sets=[long_tailed],grid.seeds=[0,1,2]"
# The instructions that PyTorch and oneDNN may use.
PROCESSORS: dict[str, dict[str, str]] = {
    "this processor": {},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "DNNL_MAX_CPU_ISA": "AVX2"},
    "no AVX": {"ATEN_CPU_CAPABILITY": "default", "DNNL_MAX_CPU_ISA": "SSE41"},
}
COLUMNS = {
    "balanced": "balanced",
    "long_tailed": "long-tailed",
    "head": "head",
    "middle": "middle",
    "tail": "tail",
    "balanced_tail": "tail, balanced",
}
# Largest difference of the mean of three seeds that another processor is expected to make.
TOLERANCE = 0.06


def main() -> None:
    """Train, then print, write or check."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.digits", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="replace the tables in the docs")
    what.add_argument("--check", action="store_true", help="compare the docs with a new run")
    arguments = parser.parse_args()
    if arguments.check:
        if found := drift(PAGE.read_text(encoding="utf-8"), results({})):
            sys.exit("\n".join(found))
        rich.print(f"No documented figure differs by more than {TOLERANCE} from this run's.")
        return
    text = tables({name: results(settings) for name, settings in PROCESSORS.items()})
    if arguments.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(replaced(page, text), encoding="utf-8")
    else:
        rich.print(text)


def results(settings: Mapping[str, str]) -> pd.DataFrame:
    """The results of a run in a folder of its own, with the given environment variables."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "kedro", "run", "--pipelines=full"]
        subprocess.run(
            [*command, f"--params=data={folder},{GRID}"],
            env={
                **os.environ,
                **settings,
                "DO_NOT_TRACK": "1",
                "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
            },
            check=True,
            stdout=sys.stderr,
        )
        [file] = Path(folder).glob("08_reporting/digits/results.csv/*/results.csv")
        return pd.read_csv(file)


def tables(by_processor: Mapping[str, pd.DataFrame]) -> str:
    """The means over seeds on the first processor, and the accuracy of each seed on each one."""
    first = next(iter(by_processor.values()))
    lines = [
        "| method | " + " | ".join(COLUMNS.values()) + " |",
        "| --- |" + " --- |" * len(COLUMNS),
    ]
    for method, own in means(first).items():
        cells = [
            f"{own[name].value:.3f} [{own[name].low:.3f}, {own[name].high:.3f}]" for name in COLUMNS
        ]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    seeds = sorted(first["seed"].unique())
    headings = [f"{name}, seed {seed}" for name in by_processor for seed in seeds]
    lines += ["", "| method | " + " | ".join([*headings, "largest difference"]) + " |"]
    lines.append("| --- |" + " --- |" * (len(headings) + 1))
    accuracies = pd.concat(
        [balanced_accuracies(table).add_prefix(f"{name} ") for name, table in by_processor.items()],
        axis=1,
    )
    for method, row in zip(accuracies.index, accuracies.to_numpy(), strict=True):
        apart = np.ptp(row.reshape(len(by_processor), len(seeds)), axis=0).max()
        figures = " | ".join(f"{value:.4f}" for value in (*row, apart))
        lines.append(f"| {method} | {figures} |")
    return "\n".join(lines)


def balanced_accuracies(table: pd.DataFrame) -> pd.DataFrame:
    """Acc1 on the balanced test set by method and seed."""
    own = table[table["test_set"] == "balanced"]
    return own.pivot_table(index="method", columns="seed", values="acc1", sort=False)


def means(table: pd.DataFrame) -> dict[str, dict[str, pd.Series]]:
    """Acc1 over seeds with its interval, by method and test set."""
    summary = summarise(table, float(table["confidence"].iloc[0]))
    summary = summary[summary["metric"] == "acc1"]
    return {
        str(method): {row["test_set"]: row for _, row in own.iterrows()}
        for method, own in summary.groupby("method", sort=False)
    }


def replaced(page: str, text: str) -> str:
    """The page with other tables between its two marks."""
    before, rest = page.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def drift(page: str, table: pd.DataFrame) -> list[str]:
    """Documented means that differ from those of a run by more than the tolerance, as sentences."""
    text = page.split(BEGIN, 1)[1].split(END, 1)[0]
    own, found = means(table), []
    for line in text.strip().split("\n\n")[0].splitlines()[2:]:
        method, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        if method not in own:
            found.append(f"{PAGE.name} documents '{method}', which the run does not have")
            continue
        documented = float(re.split(r"[ \[]", cells[0])[0])
        now = float(own[method]["balanced"].value)
        if abs(now - documented) > TOLERANCE:
            found.append(
                f"{PAGE.name} documents {documented:.3f} for {method}, the run has {now:.3f}: run "
                f"python -m benchmarks.digits --write"
            )
    return found


if __name__ == "__main__":
    main()
