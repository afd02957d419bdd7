"""A small pipeline with the structure of the project's, whose nodes add and double numbers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import MemoryDataset
from kedro.io.core import Version
from kedro.pipeline import Node, Pipeline
from kedro.runner import AbstractRunner
from kedro_datasets.json import JSONDataset

from longtail.catalog import LongtailCatalog
from longtail.runner import GridRunner

METHODS = ("plain", "odd", "even")
BACKBONES = ("small", "large")
COMPUTE = {"device": "cpu", "threads": 1, "workers": None, "compile": "never"}


def one() -> int:
    return 1


def twice(number: int) -> int:
    return 2 * number


def total(*numbers: int) -> int:
    return sum(numbers)


def process_id(number: int) -> int:  # noqa: ARG001
    return os.getpid()


def broken(number: int) -> int:
    raise ValueError(f"boom {number}")


def interrupted(number: int) -> int:
    raise KeyboardInterrupt(number)


def terminated(number: int) -> int:
    os.kill(os.getpid(), signal.SIGTERM)
    return number


def killed(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


# The environment variable with the path of a file that exists once a process was killed.
KILLED_ONCE = "LONGTAIL_TEST_KILLED_ONCE"


def killed_once(number: int) -> int:
    mark = Path(os.environ[KILLED_ONCE])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def killing_its_worker(number: int) -> int:
    """Kill the process that started this one: on a cluster, the worker."""
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
    return number


def asleep(number: int) -> int:
    (Path(os.environ["KEDRO_TEST_ASLEEP"]) / f"asleep{os.getpid()}").touch()
    time.sleep(600)
    return number


class Recorder:
    """A hook that records which nodes were started and which failed."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.failed: list[str] = []

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        self.started.append(node.name)

    @hook_impl
    def on_node_error(self, node: Node) -> None:
        self.failed.append(node.name)


def trial_name(backbone: str, method: str) -> str:
    return f"train.toy.balanced.{backbone}.{method}.seed0"


def toy(
    changed: dict[str, Callable[..., int]] | None = None,
    methods: tuple[str, ...] = METHODS,
    backbones: tuple[str, ...] = BACKBONES,
    prepare: Callable[[], int] | Callable[[int], int] = one,
) -> Pipeline:
    """prepare -> one trial per backbone and method -> gather per backbone -> gather all -> page."""
    changed = changed or {}
    parts = [Node(prepare, "given" if prepare is broken else None, "prepared", name="zz_prepare")]
    for backbone in backbones:
        for method in methods:
            name = trial_name(backbone, method)
            work = changed.get(f"{backbone}.{method}", twice)
            nodes = [
                Node(work, "prepared", "worked", name="work"),
                Node(twice, "worked", "result", name="finish"),
            ]
            tags = ["trial", backbone, method]
            parts += Pipeline(nodes, namespace=name, inputs="prepared", tags=tags).nodes
        results = [f"{trial_name(backbone, method)}.result" for method in methods]
        parts.append(
            Node(
                total,
                results,
                f"{backbone}_sum",
                name=backbone,
                tags=["gather"],
                namespace="train",
            )
        )
    sums = [f"{backbone}_sum" for backbone in backbones]
    parts.append(Node(total, sums, "sum", name="gather", tags=["gather"]))
    parts.append(Node(twice, "sum", "page", name="page"))
    return Pipeline(parts)


def catalog_with(**datasets: Any) -> LongtailCatalog:
    given = {"params:grid": {"methods": list(METHODS)}, "params:compute": COMPUTE, "given": 0}
    return LongtailCatalog({k: MemoryDataset(v) for k, v in given.items()} | datasets)


def files_of(pipeline: Pipeline, folder: Path, version: str | None = None) -> LongtailCatalog:
    """A catalog of files, which other processes can read; with versions, if one is given."""
    saved = None if version is None else Version(None, version)
    files = {
        name: JSONDataset(filepath=str(folder / f"{name}.json"), version=saved)
        for name in pipeline.all_outputs()
    }
    return catalog_with(**files, **{"params:data": MemoryDataset(str(folder / "data"))})


def check_nothing_is_stored_twice(runner: AbstractRunner, folder: Path) -> None:
    """Run a pipeline twice; the second run must use the files of the first."""
    first, second = "2001-01-01T00.00.00.000Z", "2002-01-01T00.00.00.000Z"
    pipeline = toy()
    for version in (first, second):
        catalog = files_of(pipeline, folder, version)
        runner.run(pipeline, catalog, hook_manager=_create_hook_manager(), run_id=version)
    assert catalog.versions(pipeline.all_outputs()) == dict.fromkeys(pipeline.all_outputs(), first)
    assert catalog.load("page") == 2 * 6 * 4
    assert not list(folder.rglob(second))


def execute(pipeline: Pipeline, recorder: Recorder | None = None, workers: int = 1) -> int:
    """Run a pipeline and return its page."""
    manager = _create_hook_manager()
    manager.register(recorder or Recorder())
    runner = GridRunner(max_workers=workers)
    made = runner.run(pipeline, catalog_with(), hook_manager=manager, run_id="test")
    return int(made["page"].load())
