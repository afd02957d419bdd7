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

from longtail.arrays import Float32Array, Int64Array
from longtail.trials.canonical_loss import CanonicalLoss

PROJECT = Path(__file__).parents[1]
TEST_SETS = 12
METHODS = 7
# What is added to the logit of the true class, whose standard deviation is 1.
SKILL = 3.0
# The share of images that are recognised, where there are no logits.
ACCURACY = 0.6
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
    "page": ((100, 2), (1_000, 2), (8_142, 2)),
}
# What the second number of a stage's sizes counts.
COUNTED = {"species": "trials", "page": "trials"}


def cut_images(classes: int, images: int, folder: Path) -> Callable[[], object]:  # noqa: ARG001
    """Cut a data set, long-tailed by nature, into its subsets."""
    from longtail.imbalance import cut
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
    """Write a page on the species of some trials, each of another training set; its bytes."""
    from longtail.evaluation.species import confused_pairs, species_table
    from longtail.parameters import Contents, Method, Softmax, Table, TrainSet
    from longtail.reporting.page.report_page import report_page
    from longtail.reporting.page.species_section import species_parts, species_section

    train_sets: tuple[TrainSet, ...] = ("balanced", "long_tailed")
    of_sets = [confusions_of(classes, 1).assign(train_set=name) for name in train_sets[:trials]]
    confusions, profile = pd.concat(of_sets), profile_of(classes)
    keys = [{name: of_set[name].iloc[0] for name in TRIAL} for of_set in of_sets]
    scores = {"test_set": "validation", "balanced_accuracy": 0.5, "fingerprint": "ab"}
    results = pd.DataFrame([{**key, **scores, "fingerprint": key["train_set"]} for key in keys])
    method = Method(name="m", label="Method", loss=Softmax(name="softmax"))
    tables = [
        Table(
            dataset="d", backbone="b", backbone_label="B", train_set=name, methods={"m": "Method"},
            seeds=(0,), number=number,
        )
        for number, name in enumerate(train_sets, 1)
    ]  # fmt: skip
    contents = Contents(tables=tuple(tables))
    gallery = [{**key, "answers": []} for key in keys]

    def written() -> int:
        species, pairs = (
            table(confusions, profile, 0.95).assign(confidence=0.95)
            for table in (species_table, confused_pairs)
        )
        parts = species_parts(results, species, pairs, gallery, contents, {"m": method})
        page = report_page("Growth", profile, "long_tailed", [species_section(parts)])
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
TRIAL = ("dataset", "train_set", "backbone", "method", "seed")


def labels_of(classes: int, images: int) -> Int64Array:
    """Labels of equally many images of each class, shuffled."""
    labels = np.resize(np.arange(classes), images)
    return np.random.default_rng(0).permutation(labels).astype(np.int64)


def write_logits(labels: Int64Array, classes: int, file: Path) -> Path:
    """Write normal logits, larger for the true class, in blocks."""
    generator = np.random.default_rng(0)
    shape = (len(labels), classes)
    logits: Float32Array = np.lib.format.open_memmap(file, "w+", np.float32, shape)
    for start in range(0, len(labels), 1000):
        own = labels[start : start + 1000]
        block = generator.standard_normal((len(own), classes), dtype=np.float32)
        block[np.arange(len(own)), own] += SKILL
        logits[start : start + len(own)] = block
    del logits
    return file


def subsets_of(images: int) -> pd.DataFrame:
    """All images in one test set, and a random half in each of the others."""
    generator = np.random.default_rng(2)
    parts = [("natural", np.arange(images))]
    for number in range(TEST_SETS - 1):
        half = np.sort(generator.choice(images, images // 2, replace=False))
        parts.append((f"half{number}", half))
    frames = [pd.DataFrame({"role": "test", "name": name, "image": i}) for name, i in parts]
    return pd.concat(frames, ignore_index=True)


def profile_of(classes: int) -> pd.DataFrame:
    """A class profile with names of species."""
    numbers = np.arange(classes)
    group = np.array(["head", "middle", "tail"])[numbers * 3 // classes]
    names = [f"Genus{number // 7} species{number}" for number in numbers]
    table = {"label": numbers, "class_name": names, "rank": numbers, "group": group}
    sizes = np.maximum(1000 // (1 + numbers), 2)
    return pd.DataFrame(
        {
            **table,
            "train_balanced": 2,
            "train_long_tailed": sizes,
            "test_balanced": 3,
            "test_long_tailed": 3,
            "train_natural": sizes,
            "test_natural": 3,
        }
    )


def confusions_of(classes: int, trials: int) -> pd.DataFrame:
    """The confusions of three test images of each class in each trial."""
    generator = np.random.default_rng(3)
    labels = np.repeat(np.arange(classes), 3)
    parts = []
    for trial in range(trials):
        near = np.clip(labels + generator.integers(-3, 4, len(labels)), 0, classes - 1)
        guessed = np.where(generator.random(len(labels)) < ACCURACY, labels, near)
        pairs = pd.DataFrame({"true": labels, "predicted": guessed})
        counts = pairs.value_counts(sort=False).reset_index(name="images")
        names = {"dataset": "d", "train_set": "long_tailed", "backbone": "b", "method": "m"}
        parts.append(counts.assign(**names, seed=trial, test_set="balanced"))
    return pd.concat(parts, ignore_index=True)


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
