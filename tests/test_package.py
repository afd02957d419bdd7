"""The package works outside a checkout: with its own configuration, in an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.pipelines.support import PROJECT

BUILT = ("src", "conf", "setup.py", "pyproject.toml", "README.md", "LICENSE")
STAGES = "--pipelines=ingest,imbalance,train"
ONE_TRIAL = "grid.methods=[softmax],grid.backbones=[mobilenetv2_micro],grid.train_sets=[balanced]"


def test_what_is_built_runs_in_an_empty_folder(tmp_path: Path) -> None:
    source, built, folder = tmp_path / "source", tmp_path / "built", tmp_path / "empty"
    source.mkdir()
    folder.mkdir()
    for name in BUILT:
        if (PROJECT / name).is_file():
            shutil.copy(PROJECT / name, source / name)
        else:
            unwanted = shutil.ignore_patterns("*.egg-info", "__pycache__")
            shutil.copytree(PROJECT / name, source / name, ignore=unwanted)
    personal = source / "conf/local/parameters.yml"
    personal.write_text("data: /nowhere")
    build = [sys.executable, "setup.py", "-q", "build_py", f"--build-lib={built}"]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    assert (built / "longtail/conf/thesis/parameters/grid.yml").is_file()
    assert not list((built / "longtail/conf/local").rglob("*.yml"))

    environment = {name: os.environ[name] for name in os.environ if "TELEMETRY" not in name}
    ended = subprocess.run(
        [sys.executable, "-m", "longtail", "run", "--env=test", STAGES, f"--params={ONE_TRIAL}"],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(built)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "digits: 1,797 images of 10 classes" in ended.stdout
    assert "To bring it up to date: longtail run --pipelines=report --env=test" in ended.stdout
    assert "kedro run" not in ended.stdout
    assert "usage data" not in ended.stdout + ended.stderr
    assert (
        len(list(folder.glob("data/test/06_models/digits/**/model.safetensors/*/*.safetensors")))
        == 1
    )
