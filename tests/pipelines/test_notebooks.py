"""The notebooks run from their first cell to their last, on what a run has made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.pipelines.support import PROJECT, Run, dotted, run
from tests.sources.photographs import folder_of

RELOAD = "%reload_kedro --env=moths"
# Both in one process, since importing everything takes longer than all cells.
RUNNING = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cells in json.load(sys.stdin):
    shell.reset()
    print("NOTEBOOK")
    for cell in cells:
        print("CELL")
        ended = shell.run_cell(cell)
        ended.raise_error()
        print(getattr(ended.result, "data", ended.result))
"""
SPECIES = {"Aus albus": 9, "Aus niger": 8, "Beus ruber": 7, "Beus viridis": 5}


def cells_of(name: str, data: Path) -> list[str]:
    """The cells of a notebook, which read a data folder."""
    notebook = json.loads((PROJECT / "notebooks" / name).read_text())
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    cells[0] = f"{cells[0].replace(RELOAD, '')}\n%reload_kedro --env=test --params=data={data}"
    return cells


@pytest.fixture(scope="module")
def named(tracking: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001
    """The data folder of a training on photographs, one of them broken, and of their names."""
    folder = tmp_path_factory.mktemp("named")
    photographs = folder_of(folder / "photographs", SPECIES)
    (photographs / "Aus albus" / "broken.jpg").write_bytes(b"broken")
    grid = (
        *("grid.datasets=[moths]", f"datasets.moths.source.path={photographs}"),
        *("datasets.moths.source.image_size=32", "grid.train_sets=[natural]"),
        *("grid.backbones=[mobilenetv2_micro]", "grid.methods=[softmax]"),
    )
    data = folder / "data"
    assert run(data, dotted(*grid)).error is None
    asked = dotted(*grid, f"predict.path={photographs}")
    assert run(data, asked, stages=["predict"]).error is None
    return data


@pytest.fixture(scope="module")
def shown(full: Run, named: Path) -> list[list[str]]:
    """What each cell shows, by notebook: results and moths."""
    notebooks = [cells_of("results.ipynb", full.data), cells_of("moths.ipynb", named)]
    ended = subprocess.run(
        [sys.executable, "-c", RUNNING],
        input=json.dumps(notebooks),
        capture_output=True,
        text=True,
        cwd=PROJECT,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return [notebook.split("CELL\n")[1:] for notebook in ended.stdout.split("NOTEBOOK\n")[1:]]


def test_the_notebook_of_results_shows_a_run(full: Run, shown: list[list[str]]) -> None:
    _, profile, accuracies, gains, mistakes = shown[0]
    assert str(full.load("digits_class_profile")["train_long_tailed"].max()) in profile
    assert "balanced_tail" in accuracies and "balanced_softmax" in accuracies
    assert "balanced_head" in gains
    assert "probability" in mistakes


def test_the_notebook_of_moths_walks_from_a_training_to_names(shown: list[list[str]]) -> None:
    _, profile, rejected, accuracies, worst, pairs, cards, counts, names = shown[1]
    assert all(name in profile and name in worst for name in SPECIES)
    assert "not an image" in rejected
    assert "natural" in accuracies and "[" in accuracies
    assert "both_ways" in pairs
    assert cards.count("data:image/jpeg;base64") >= 1
    assert "30" in counts  # none is trusted: the network has hardly learnt anything
    assert "Aus albus/000.png" in names
