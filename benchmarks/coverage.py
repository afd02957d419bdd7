"""``python -m benchmarks.coverage``: how often 95 % intervals contain the true value.

Test sets are simulated: the logits of an image are normal noise, plus the skill of its class at
the true one. The truth is the mean of a metric over all simulated test sets; of the worst class, it
is the accuracy of the class that is worst in truth. Beside ours are the intervals that are usual:
Wilson's for accuracies and percentiles of the bootstrap, shifted by the bias of the resamples.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import rich
from rich.progress import track
from rich.table import Table
from scipy import stats

from longtail.arrays import Float32Array, Float64Array, Int64Array
from longtail.evaluation.comparisons import compare_methods
from longtail.evaluation.metric_intervals import with_intervals
from longtail.evaluation.metrics import METRICS, PROPORTIONS, Answers, Tally
from longtail.evaluation.novelty import NOVELTY_METRICS, novelty
from longtail.evaluation.uncertainty import resampled_weights
from longtail.parameters import Statistics

CONFIDENCE = 0.95
PAIRED = {"acc1": "acc1, two methods", "f1": "f1, two methods"}
# The share of the noise that two methods have in common, where they are compared.
SHARED = 0.7
MORE_SKILL = 0.2  # of the second method


@dataclass(frozen=True)
class Case:
    """A kind of test set.

    Attributes:
        sizes: the images of each class.
        classes: the number of labels, at least as many.
        accuracy: the mean over images.
        spread: half the difference in skill between the first and the last class.
        scale: of the logits; larger ones are more confident, also of what is wrong.
        most: at most so many test sets are simulated, since they are large.
    """

    sizes: tuple[int, ...]
    classes: int
    accuracy: float
    spread: float = 1.0
    scale: float = 1.0
    most: int = 10**6

    @property
    def labels(self) -> Int64Array:
        """The true label of each image."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def skill(self) -> Float64Array:
        """The skill of each label, such that the accuracy is the one asked for."""
        easier = np.zeros(self.classes)
        easier[: len(self.sizes)] = np.linspace(self.spread, -self.spread, len(self.sizes))
        labels = np.tile(self.labels, max(1, 40_000 // len(self.labels)))
        logits = np.random.default_rng(0).normal(size=(len(labels), self.classes))
        own = logits[np.arange(len(labels)), labels] + easier[labels]
        logits[np.arange(len(labels)), labels] = -np.inf
        # The image is classified correctly from this skill on.
        result: Float64Array = easier + np.quantile(logits.max(axis=1) - own, self.accuracy)
        return result

    def noise(self, generator: np.random.Generator) -> Float32Array:
        """The logits of one test set without the skill, before they are scaled."""
        return generator.normal(size=(len(self.labels), self.classes)).astype(np.float32)

    def logits(self, noise: Float32Array, skill: Float64Array) -> Float32Array:
        """The logits of one test set."""
        logits = noise.copy()
        logits[np.arange(len(self.labels)), self.labels] += skill[self.labels]
        return self.scale * logits


def long_tailed(images: int, classes: int, factor: float) -> tuple[int, ...]:
    """Sizes that fall exponentially by a factor, at least 1, with a given sum."""
    sizes = factor ** (-np.arange(classes) / (classes - 1))
    whole = np.maximum(np.floor(sizes / sizes.sum() * images), 1).astype(int)
    whole[0] += images - whole.sum()
    return tuple(map(int, whole))


FEW_OF_MANY = (2,) * 4 + (1,) * 30
CASES = {
    "accuracy .99, 200 images of 10 classes": Case((20,) * 10, 10, 0.99, scale=1.5),
    "accuracy .99, the same, overconfident": Case((20,) * 10, 10, 0.99, scale=5.0),
    "accuracy .99, 1,000 images of 10 classes": Case((100,) * 10, 10, 0.99, scale=3.0, most=600),
    "accuracy .40, 38 images of 34 classes": Case(FEW_OF_MANY, 100, 0.4),
    "accuracy .75, 38 images of 34 classes": Case(FEW_OF_MANY, 100, 0.75),
    "accuracy .70, 15 images of 10 classes": Case((3, 2, 2, 2, *[1] * 6), 10, 0.7, scale=3.0),
    "accuracy .40, 15 images of 5 classes": Case((3,) * 5, 10, 0.4),
    "accuracy .60, 500 images, overconfident": Case((50,) * 10, 10, 0.6, 1.5, 4.0, most=600),
    "accuracy .40, 2,131 images of 100 classes, long-tailed": Case(
        long_tailed(2131, 100, 100), 100, 0.4, 1.5, most=600
    ),
    "accuracy .70, 10,000 images of 100 classes": Case((100,) * 100, 100, 0.7, most=100),
}

# Known images, unknown images, and the distance of their mean scores.
NOVELTY_CASES = ((200, 80, 1.8), (60, 15, 1.5), (200, 80, 4.0), (400, 20, 3.0), (30, 300, 2.5))


def main() -> None:
    """Simulate, and print one table per case."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--tests", type=int, default=600, help="test sets simulated per case")
    parser.add_argument("--resamples", type=int, default=400, help="of the bootstrap")
    parser.add_argument("--only", default="", help="only cases whose name contains this text")
    arguments = parser.parse_args()
    statistics = Statistics(confidence=CONFIDENCE, resamples=arguments.resamples, seed=0)
    for name, case in CASES.items():
        if arguments.only in name:
            rows = coverage(case, min(arguments.tests, case.most), statistics)
            rich.print(_table(f"{name} ({min(arguments.tests, case.most)} test sets)", rows))
    for known, unknown, distance in NOVELTY_CASES:
        name = f"{known} known and {unknown} unknown images, {distance} deviations apart"
        if arguments.only in name:
            rows = novelty_coverage(known, unknown, distance, arguments.tests, statistics)
            rich.print(_table(f"{name} ({arguments.tests} test sets)", rows))


def novelty_coverage(
    known: int, unknown: int, distance: float, tests: int, statistics: Statistics
) -> pd.DataFrame:
    """The coverage of AUROC and of false alarms, where scores are normally distributed.

    Args:
        known: how many known images.
        unknown: how many unknown ones.
        distance: between their mean scores, in standard deviations.
        tests: how many test sets.
        statistics: the confidence, and the resampling.

    Returns:
        As :func:`coverage`.
    """
    generator = np.random.default_rng(1)
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in NOVELTY_METRICS}
    for _ in track(range(tests), description="Simulating", transient=True):
        of_known, of_unknown = (
            {"max_logit": generator.normal(mean, 1, images)}
            for mean, images in ((distance, known), (0, unknown))
        )
        table = novelty(of_known, of_unknown, statistics).set_index("score")
        for name, values in found.items():
            own = table.loc["max_logit", [name, f"{name}_low", f"{name}_high"]]
            values.append((*own.to_numpy(np.float64), float("nan"), float("nan")))
    return pd.DataFrame([_row(name, np.array(own), None) for name, own in found.items()])


def coverage(case: Case, tests: int, statistics: Statistics) -> pd.DataFrame:
    """The coverage of every metric's interval, and of paired differences.

    Returns:
        One row per metric: ``truth``, ``given`` (the share of test sets with an interval),
        ``covered`` (of these, the share whose interval contains the truth), ``width`` (the mean),
        and ``usual``, the coverage of the usual interval (NaN for differences).
    """
    generator, skill = np.random.default_rng(1), case.skill()
    found: dict[str, list[tuple[float, ...]]] = {}
    recalls = []
    for _ in track(range(tests), description="Simulating", transient=True):
        noise = case.noise(generator)
        answers = Answers.from_logits(case.logits(noise, skill), case.labels)
        for name, row in _intervals(answers, statistics):
            found.setdefault(name, []).append(row)
        other = SHARED**0.5 * noise + (1 - SHARED) ** 0.5 * case.noise(generator)
        predicted = case.logits(other, skill + MORE_SKILL).argmax(axis=1)
        for name, row in _paired(answers, predicted, statistics):
            found.setdefault(name, []).append(row)
        recalls.append(Tally.of(answers).recall[0])
    worst = float(np.nanmin(np.mean(recalls, axis=0)))
    return pd.DataFrame(
        [
            _row(name, np.array(values), worst if name == "worst_class" else None)
            for name, values in found.items()
        ]
    )


def _row(name: str, values: Float64Array, truth: float | None) -> dict[str, str | float]:
    """The row of a metric, from one value and two intervals of each test set."""
    value, low, high, usual_low, usual_high = values.T
    truth = float(value.mean()) if truth is None else truth
    given, usual = ~np.isnan(low), ~np.isnan(usual_low)
    return {
        "metric": name,
        "truth": truth,
        "given": float(given.mean()),
        "covered": _mean(((low <= truth) & (truth <= high))[given]),
        "width": _mean((high - low)[given]),
        "usual": _mean(((usual_low <= truth) & (truth <= usual_high))[usual]),
    }


def _mean(values: Float64Array) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _intervals(answers: Answers, statistics: Statistics) -> Iterator[tuple[str, tuple[float, ...]]]:
    images = len(answers.labels)
    losses = answers.negative_log_likelihood
    ours = with_intervals(answers, losses, np.ones(images), statistics)
    replicates: dict[str, list[Float32Array]] = {name: [] for name in METRICS}
    for block in resampled_weights(images, statistics.resamples, statistics.seed):
        tally = Tally(answers, block)
        for name, metric in METRICS.items():
            replicates[name].append(metric.compute(tally))
    for name in METRICS:
        value = ours[name]
        usual = (
            stats.binomtest(round(value * images), images).proportion_ci(CONFIDENCE, "wilson")
            if name in PROPORTIONS
            else percentile_interval(value, np.concatenate(replicates[name]))
        )
        yield name, (value, ours[f"{name}_low"], ours[f"{name}_high"], *usual)


def percentile_interval(value: float, replicates: Float32Array) -> tuple[float, float]:
    """The percentiles of the bootstrap, shifted so that their mean is the value."""
    low, high = np.quantile(replicates, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    if low == high:
        return float("nan"), float("nan")
    shift = value - float(replicates.mean(dtype=np.float64))
    return float(low + shift), float(high + shift)


def _paired(
    answers: Answers, predicted: Int64Array, statistics: Statistics
) -> Iterator[tuple[str, tuple[float, ...]]]:
    images = np.arange(len(answers.labels))
    names = {"dataset": "d", "train_set": "t", "backbone": "b", "seed": 0, "image": images}
    methods = {"first": answers.predicted, "second": predicted}
    table = pd.concat(
        pd.DataFrame({**names, "method": name, "label": answers.labels, "predicted": own})
        for name, own in methods.items()
    )
    subsets = pd.DataFrame({"role": "test", "name": "balanced", "image": images})
    nothing = float("nan")
    compared = compare_methods(table, subsets, answers.classes, statistics)
    for row in compared.to_dict("records"):
        figures = row["difference"], row["low"], row["high"], nothing, nothing
        yield PAIRED[row["metric"]], figures


def _table(title: str, rows: pd.DataFrame) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in ("metric", "truth", "covered", "no interval", "width", "usual interval"):
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    for row in rows.to_dict("records"):
        usual = "" if np.isnan(row["usual"]) else f"{row['usual']:.3f}"
        figures = f"{row['truth']:.3f}", f"{row['covered']:.3f}", f"{1 - row['given']:.0%}"
        table.add_row(row["metric"], *figures, f"{row['width']:.3f}", usual)
    return table


if __name__ == "__main__":
    main()
