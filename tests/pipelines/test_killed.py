"""A run that is killed again and again ends with what a run that nobody kills ends with."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.pipelines.support import PROJECT, dotted, run

KILLS = 4
DEADLINE_S = 600
# It verifies all results; drawing them is left out.
LAST_NODE = "report.digits.verify"
WANTED = (
    "grid.train_sets=[long_tailed]",
    "grid.backbones=[vit_micro,mobilenetv2_micro]",
    "grid.methods=[softmax,equalization]",
    "recipe.epochs=40",
    "compute.workers=2",
)


def kedro_run(data: Path) -> subprocess.Popen[str]:
    parameters = "--params=" + ",".join((f"data={data}", *WANTED))
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "kedro",
            "run",
            "--pipelines=full",
            f"--to-nodes={LAST_NODE}",
            "--env=test",
            parameters,
        ],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def state_of(store: Path) -> dict[Path, int]:
    """What is trained and what is begun, and when it was last written."""
    files = [*store.glob("*.checkpoint"), *store.glob("*/model.safetensors")]
    return {file: file.stat().st_mtime_ns for file in files if file.exists()}


def await_training(process: subprocess.Popen[str], store: Path) -> None:
    """Wait until the run has saved a checkpoint or a training, or has ended."""
    before, end = state_of(store), time.monotonic() + DEADLINE_S
    while process.poll() is None and state_of(store) == before:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.usefixtures("tracking")
def test_killed_at_random_points_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", dotted(*WANTED), workers=2, to_nodes=[LAST_NODE])
    assert whole.error is None

    chance = random.Random(7)
    data = tmp_path / "killed"
    store = data / "06_models/store"
    output = ""
    for kill in range(KILLS):
        with kedro_run(data) as process:
            if kill:  # the first one is killed while it starts
                await_training(process, store)
            time.sleep(chance.uniform(0, 1.5))
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            output += process.communicate()[0]
    with kedro_run(data) as process:
        output += process.communicate(timeout=DEADLINE_S)[0]
    assert process.returncode == 0, output
    assert output.count("resumes after epoch") >= KILLS // 2
    whole_names = re.compile(r"[0-9a-f]{64}(\.[0-9a-f]{16}\.logits)?|locks")
    assert [f.name for f in store.iterdir() if not whole_names.fullmatch(f.name)] == []

    models = "06_models/store/*/model.safetensors"
    expected = {file.parent.name: file.read_bytes() for file in whole.data.glob(models)}
    assert len(expected) == 4
    assert {file.parent.name: file.read_bytes() for file in data.glob(models)} == expected
    results = whole.file("digits_results")
    newest = max((data / results.relative_to(whole.data)).parents[1].iterdir()) / results.name
    assert newest.read_bytes() == results.read_bytes()
