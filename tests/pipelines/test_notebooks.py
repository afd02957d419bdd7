"""The notebooks run from their first cell to their last, on what a run has made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from mlflow import MlflowClient

from tests.pipelines.support import PROJECT, Run, dotted, run
from tests.sources.photographs import folder_of

RELOAD = "%reload_kedro --env=moths"
RUNNING = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in json.load(sys.stdin):
    print("CELL")
    ended = shell.run_cell(cell)
    ended.raise_error()
    print(getattr(ended.result, "data", ended.result))
"""


def shown(name: str, data: Path) -> list[str]:
    """Run a notebook's cells on a data folder, and give what each shows."""
    notebook = json.loads((PROJECT / "notebooks" / name).read_text())
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    cells[0] = f"{cells[0].replace(RELOAD, '')}\n%reload_kedro --env=test --params=data={data}"
    ended = subprocess.run(
        [sys.executable, "-c", RUNNING],
        input=json.dumps(cells),
        capture_output=True,
        text=True,
        cwd=PROJECT,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.split("CELL\n")[1:]


def test_the_notebook_of_results_shows_a_run(full: Run) -> None:
    _, profile, accuracies, gains, mistakes = shown("results.ipynb", full.data)
    assert str(full.load("digits_class_profile")["train_long_tailed"].max()) in profile
    assert "balanced_tail" in accuracies and "balanced_softmax" in accuracies
    assert "balanced_head" in gains
    assert "probability" in mistakes


def test_the_notebook_of_moths_walks_from_a_training_to_names(
    tracking: MlflowClient,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    species = {"Aus albus": 9, "Aus niger": 8, "Beus ruber": 7, "Beus viridis": 5}
    photographs = folder_of(tmp_path / "photographs", species)
    (photographs / "Aus albus" / "broken.jpg").write_bytes(b"broken")
    grid = (
        *("grid.datasets=[moths]", f"datasets.moths.source.path={photographs}"),
        *("datasets.moths.source.image_size=32", "grid.train_sets=[natural]"),
        *("grid.backbones=[mobilenetv2_micro]", "grid.methods=[softmax]"),
    )
    data = tmp_path / "data"
    assert run(data, dotted(*grid)).error is None
    asked = dotted(*grid, f"predict.path={photographs}")
    assert run(data, asked, stages=["predict"]).error is None
    _, profile, rejected, accuracies, worst, pairs, cards, counts, names = shown(
        "moths.ipynb", data
    )
    assert all(name in profile and name in worst for name in species)
    assert "not an image" in rejected
    assert "natural" in accuracies and "[" in accuracies
    assert "both_ways" in pairs
    assert cards.count("data:image/jpeg;base64") >= 1
    assert "30" in counts  # none is trusted: the network has hardly learnt anything
    assert "Aus albus/000.png" in names
