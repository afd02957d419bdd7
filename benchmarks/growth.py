"""How seconds and memory grow with the data: ``python -m benchmarks.growth [stage ...]``.

The index, pixels, logits and confusions are synthetic. Each size is measured in a process of its
own, with one thread, in seconds of CPU time. Memory is the most that the process needed, with what
it imports and the pages of mapped files, which the system can drop.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.synthetic import (
    ACCURACY,
    confusions_of,
    labels_of,
    profile_of,
    subsets_of,
    write_logits,
)
from longtail.parameters import CanonicalLoss

PROJECT = Path(__file__).parents[1]
METHODS = 7
PIXELS, BATCH = 32, 128
# Classes and images: from a benchmark of today to the size of iNaturalist 2018's validation images.
CUT = ((100, 10_000), (1_000, 100_000), (8_142, 1_000_000))
SCORED = ((100, 10_000), (1_000, 20_000), (4_000, 20_000), (8_142, 24_426))
# The sizes of each stage: classes and images, or classes and trials.
SIZES: dict[str, tuple[tuple[int, int], ...]] = {
    "cut": CUT,
    "stream": CUT,
    "score": SCORED,
    "score_random": SCORED,
    "compare": SCORED,
    "species": ((100, 56), (100, 560), (100, 2_240), (8_142, 56)),
    "page": ((100, 56), (1_000, 56), (8_142, 56)),
}
# What the second number of a stage's sizes counts.
COUNTED = {"species": "trials", "page": "trials"}


def cut_images(classes: int, images: int, folder: Path) -> Callable[[], object]:  # noqa: ARG001
    """Cut a data set, long-tailed by nature, into its subsets."""
    from longtail.imbalance.cut import cut
    from longtail.parameters import Imbalance

    shares = 1 / np.arange(1, classes + 1) ** 0.8
    counts = np.maximum((images * shares / shares.sum()).astype(np.int64), 8)
    labels = np.repeat(np.arange(classes), counts)
    index = pd.DataFrame({"image": np.arange(len(labels)), "label": labels})
    index["class_name"] = [f"class {label}" for label in labels]
    index["split"], index["group"] = "", index["image"]
    options = Imbalance.model_validate(
        {
            "holdout": {"kind": "stratified", "test": 0.2, "validation": 0.1, "minimum": 1},
            "profile": {"kind": "exponential", "imbalance_factor": 10},
            "class_order": "size",
            "groups": {"kind": "thirds"},
            "seed": 0,
        }
    )
    return lambda: cut(index, options, "growth")


def stream_pixels(classes: int, images: int, folder: Path) -> Callable[[], object]:  # noqa: ARG001
    """Read the images of one epoch in random order, batch by batch."""
    import torch

    from longtail.learning.data.image_source import StreamedImages

    file = folder / "images.npy"
    shape = (images, PIXELS, PIXELS, 3)
    np.lib.format.open_memmap(file, "w+", np.uint8, shape).flush()  # zeros take no disk
    source = StreamedImages(np.load(file, mmap_mode="r"), np.arange(images), torch.device("cpu"))

    def streamed() -> None:
        order = torch.randperm(images, generator=torch.Generator().manual_seed(0))
        with source.batches(torch.split(order, BATCH)) as batches:
            for _ in batches:
                pass

    return streamed


def score_trial(
    classes: int, images: int, folder: Path, loss: CanonicalLoss | None = None
) -> Callable[[], object]:
    """Score the stored logits of one trial on all test sets, by cross-entropy or another loss."""
    from longtail.evaluation.predictions import Predictions
    from longtail.learning.inference.score import score
    from longtail.parameters import Statistics

    labels = labels_of(classes, images)
    file = write_logits(labels, classes, folder / "logits.npy")
    statistics = Statistics(confidence=0.95, resamples=1000, seed=0)

    def scored() -> object:
        predictions = Predictions(np.arange(images), labels, np.load(file, mmap_mode="r"))
        return score(predictions, subsets_of(images), loss or CanonicalLoss(), 0, statistics)

    return scored


def score_random_criterion(classes: int, images: int, folder: Path) -> Callable[[], object]:
    """The same by equalization loss, which draws random numbers for each test set."""
    rare = np.arange(classes) >= classes // 2
    return score_trial(classes, images, folder, CanonicalLoss(spared=rare, spared_probability=0.9))


def compare_methods(classes: int, images: int, folder: Path) -> Callable[[], object]:  # noqa: ARG001
    """Compare the answers of some methods in pairs, on all test sets."""
    from longtail.evaluation.comparisons import compare_methods
    from longtail.parameters import Statistics

    labels = labels_of(classes, images)
    generator = np.random.default_rng(1)
    parts = []
    for method in range(METHODS):
        guessed = np.where(
            generator.random(images) < ACCURACY, labels, generator.integers(0, classes, images)
        )
        names = {
            "dataset": "d",
            "train_set": "long_tailed",
            "backbone": "b",
            "method": f"m{method}",
        }
        table = {"image": np.arange(images), "label": labels, "predicted": guessed}
        parts.append(pd.DataFrame({**names, "seed": 0, **table}))
    statistics = Statistics(confidence=0.95, resamples=1000, seed=0)
    return lambda: compare_methods(pd.concat(parts), subsets_of(images), classes, statistics)


def tabulate_species(classes: int, trials: int, folder: Path) -> Callable[[], object]:  # noqa: ARG001
    """Tabulate each species, and the most confused pairs, of each trial."""
    from longtail.evaluation.species import confused_pairs, species_table

    confusions, profile = confusions_of(classes, trials), profile_of(classes)
    return lambda: (
        species_table(confusions, profile, 0.95),
        confused_pairs(confusions, profile, 0.95),
    )


def write_page(classes: int, trials: int, folder: Path) -> Callable[[], object]:
    """Write the page of the default grid with its tables and figures; its bytes."""
    from kedro.io import AbstractDataset, DataCatalog, MemoryDataset
    from kedro.runner import SequentialRunner

    from benchmarks.synthetic_report import DATASET, report_inputs, report_pipeline

    pipeline, configured, grid = report_pipeline()
    if len(grid) != trials:
        raise ValueError(f"the default grid has {len(grid)} trials, not {trials}")
    inputs = report_inputs(classes, grid) | configured

    def written() -> int:
        given: dict[str, AbstractDataset[Any, Any]] = {
            n: MemoryDataset(inputs[n], copy_mode="assign") for n in pipeline.inputs()
        }
        made = SequentialRunner().run(pipeline, DataCatalog(given))
        page: str = made[f"{DATASET}_report"].load()
        return (folder / "report.html").write_bytes(page.encode())

    return written


STAGES: dict[str, Callable[[int, int, Path], Callable[[], object]]] = {
    "cut": cut_images,
    "stream": stream_pixels,
    "score": score_trial,
    "score_random": score_random_criterion,
    "compare": compare_methods,
    "species": tabulate_species,
    "page": write_page,
}


def measure(stage: str, first: int, second: int) -> dict[str, Any]:
    """Run a stage in this process: seconds of CPU time, and the most memory in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        run = STAGES[stage](first, second, Path(folder))
        start = time.process_time()
        result = run()
        seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "bytes": peak, "size": result if isinstance(result, int) else None}


def measured_apart(stage: str, first: int, second: int) -> dict[str, Any]:
    """The same in a new process, with one thread."""
    command = [sys.executable, "-m", "benchmarks.growth", stage, f"--size={first},{second}"]
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    ended = subprocess.run(
        command,
        cwd=PROJECT,
        env=os.environ | threads,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one row of a table in Markdown for each stage and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="*", default="all", choices=["all", *STAGES])
    parser.add_argument("--size", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.size:
        first, second = map(int, given.size.split(","))
        sys.stdout.write(json.dumps(measure(given.stages[0], first, second)) + "\n")
        return
    sys.stdout.write(
        "| stage | classes | | seconds | GB | page |\n| --- | --- | --- | --- | --- | --- |\n"
    )
    for stage in STAGES if given.stages == "all" else given.stages:
        for first, second in SIZES[stage]:
            found = measured_apart(stage, first, second)
            size = "" if found["size"] is None else f"{found['size'] / 1e6:.2f} MB"
            sys.stdout.write(
                f"| {stage} | {first:,} | {second:,} {COUNTED.get(stage, 'images')} | "
                f"{found['seconds']:.1f} | {found['bytes'] / 1e9:.2f} | {size} |\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
