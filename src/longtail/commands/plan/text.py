"""What a run would do, and that in words."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import filesize

from longtail.commands.plan.duration import Seconds
from longtail.commands.plan.estimate import Estimate
from longtail.commands.plan.trainings import PlannedTraining
from longtail.parameters import Predict
from longtail.project import program, shown
from longtail.wording import counted, duration, is_or_are, listed

HOUR = 3600.0


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Attributes:
        trials: the names of the trials that it would fit.
        trainings: trainings of the trials whose images are decoded, each once.
        unread: why the trainings of a data set are not known, by its name.
        times: how long all of these would take with the images of the last run, by the data set
            that has one; None if no similar training was done here.
        downloads: what the run would download first.
        unchecked: the methods whose external predictions could not be checked yet.
        stale: the trials whose stored results are not current, by the reason.
        left_out: the stages that need what the run makes, and that it would not make.
        predict: the parameters by which `predict` would cross-fit; None if it would not.
        estimate: the time and the space that it would take.
        data: the data folder.
    """

    trials: tuple[str, ...]
    trainings: tuple[PlannedTraining, ...]
    unread: Mapping[str, str]
    times: Mapping[str, Seconds | None]
    downloads: tuple[str, ...]
    unchecked: tuple[str, ...]
    stale: Mapping[str, list[str]]
    left_out: tuple[str, ...]
    predict: Predict | None
    estimate: Estimate
    data: Path

    @property
    def new(self) -> list[PlannedTraining]:
        """The trainings that would run."""
        return [training for training in self.trainings if not training.is_stored]


def lines_of(plan: Plan, free_bytes: int, arguments: Sequence[str]) -> Iterator[str]:
    """The lines that `kedro plan` prints."""
    yield from _trainings(plan)
    if plan.unchecked:
        yield (
            f"Not checked yet: the predictions of {listed(plan.unchecked)}. The run reads them "
            f"when it has the images, before any training"
        )
    if plan.stale:
        stale = counted(sum(map(len, plan.stale.values())), "trial")
        yield f"Stored results of {stale} are not current until the run has made them again"
        yield from _reasons(_other_reasons(plan))
    if plan.new:
        yield from _time(plan)
        size, free = filesize.decimal(plan.estimate.disk_bytes), filesize.decimal(free_bytes)
        yield f"Disk: at most {size} in {shown(plan.data)}, beside the report; {free} are free"
    if plan.predict is not None:
        yield _cross_fitting(plan.predict)
    if plan.left_out:
        yield f"Not made by this run: {listed(plan.left_out)}"
    yield f"Start it: {shlex.join([program(), 'run', *arguments])}"


def _trainings(plan: Plan) -> Iterator[str]:
    """Which trainings would run, which are reused, and why."""
    if not plan.trials:
        yield "This run has no trials"
        return
    for name, reason in plan.unread.items():
        own = sum(trial.startswith(f"{name}.") for trial in plan.trials)
        yield f"{name}: {reason}; then at most {counted(own, 'training')} {is_or_are(own)} done"
        yield f"  {_time_unread(plan.times, name)}"
    if plan.downloads:
        yield f"Downloaded first: {listed(plan.downloads)}"
    new, reused = plan.new, [training for training in plan.trainings if training.is_stored]
    if plan.trainings:
        trials = len({name for training in plan.trainings for name in training.trials})
        needed = counted(len(plan.trainings), "training")
        yield (
            f"{counted(trials, 'trial')} {'needs' if trials == 1 else 'need'} {needed}, since "
            f"equal ones are done once: {len(new)} to train, {len(reused)} reused"
        )
    if reused:
        yield "Reused, since the store has a training of the same fingerprint:"
        yield from _names("  ", map(_named, reused))
    if new:
        reasons: dict[str, list[str]] = {}
        for training in new:
            reasons.setdefault(training.reason, []).append(_named(training))
        yield "To train:"
        yield from _reasons(reasons)
    elif plan.trainings and not plan.unread:
        yield "Nothing is trained: every training is in the store. Results are computed from it"


def _cross_fitting(predict: Predict) -> str:
    trainings = counted(predict.folds + 1, "training")
    condition = ", if its backbone is frozen" if predict.cross_fitting == "frozen" else ""
    return (
        f"Cross-fitting is not included: predict trains the trial that it chooses on all "
        f"photographs and without each fold ({trainings}){condition}. Those in the store are reused"
    )


def _time_unread(times: Mapping[str, Seconds | None], name: str) -> str:
    """How long the trainings of images take that are still to be read, or why nobody knows."""
    if name not in times:
        return "How long they take is not known before its images are read for the first time"
    seconds = times[name]
    if seconds is None:
        return "How long they take is not known: no similar training was done on this machine"
    return (
        f"All of them would take {_range(seconds)} with the images of its last run "
        f"(from earlier trainings here)"
    )


def _other_reasons(plan: Plan) -> dict[str, list[str]]:
    """The stale trials whose training is reused, by the reason: the others were named."""
    trained = {name for training in plan.new for name in training.trials}
    rest = {r: [name for name in names if name not in trained] for r, names in plan.stale.items()}
    return {reason: names for reason, names in rest.items() if names}


def _named(training: PlannedTraining) -> str:
    """The trial that a training is of, the first of those that share it."""
    return training.trials[0] + (" (first stage)" if training.is_first_stage else "")


def _reasons(reasons: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Names of trials below the reason that they share."""
    for reason, names in reasons.items():
        yield f"  {reason}:"
        yield from _names("    ", names)


def _names(indent: str, names: Iterable[str]) -> Iterator[str]:
    """Names of trials, one line for each data set, training set and backbone."""
    seeds = defaultdict[str, dict[str, list[str]]](dict)
    for name in names:
        trial, *stage = name.split(" ", 1)
        *of, method, seed = trial.split(".")
        of_method = seeds[".".join(of)].setdefault(" ".join([method, *stage]), [])
        of_method.append(seed.removeprefix("seed"))
    for of_line, methods in seeds.items():
        alike = defaultdict[tuple[str, ...], list[str]](list)
        for method, numbers in methods.items():
            alike[tuple(numbers)].append(method)
        parts = (
            f"{', '.join(those)} ({'seed' if len(numbers) == 1 else 'seeds'} {', '.join(numbers)})"
            for numbers, those in alike.items()
        )
        yield f"{indent}{of_line}: {'; '.join(parts)}"


def _time(plan: Plan) -> Iterator[str]:
    estimate = plan.estimate
    at_once = counted(estimate.workers, "training")
    if estimate.here is not None:
        yield (
            f"Time for the trainings: {_range(estimate.here)} on this machine, {at_once} at a time "
            f"(from {estimate.basis}), if no other program needs its processors; evaluation and "
            f"the report take additional time"
        )
    if estimate.on_h200 is not None:
        low, high = estimate.on_h200.low / HOUR, estimate.on_h200.high / HOUR
        memory = estimate.gpu_gigabytes
        yield (
            f"On one NVIDIA H200: {low:.2g} to {high:.2g} GPU hours for the trainings"
            + (f", {memory:.0f} GB of its memory" if memory else "")
            + " (measured images per second: docs/explanation/performance.md)"
        )
    if estimate.here is None:
        yield "The time on this machine is not known: no similar training was done on it"


def _range(seconds: Seconds) -> str:
    low, high = duration(seconds.low), duration(seconds.high)
    return low if low == high else f"{low} to {high}"
