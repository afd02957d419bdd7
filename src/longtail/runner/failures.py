"""What a run says of what went wrong, and how it is done again."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from kedro.io.core import DatasetError
from kedro.pipeline.node import Node

from longtail.catalog import NO_VERSIONS
from longtail.config import current_configuration
from longtail.errors import DataError, LongtailError, TrainingError
from longtail.wording import counted

# Options of `kedro run` that choose a part of a pipeline.
SLICING = {
    *("--namespaces", "-ns", "--tags", "-t", "--nodes", "-n", "--from-nodes", "--to-nodes"),
    *("--from-inputs", "--to-outputs"),
}


class Losses:
    """Which trials have lost the process or machine that they ran on, and how far they were."""

    def __init__(self) -> None:
        self._epochs: dict[str, int] = {}

    def may_go_on(self, trial: str, epochs: int) -> bool:
        """Whether a trial that was lost may be tried again: if it is further than the last time.

        One that ends each process that it meets is so tried twice, and one whose machines are
        taken away every few hours as often as it takes.

        Args:
            trial: its name.
            epochs: how many it had done when it was lost.
        """
        further = epochs > self._epochs.get(trial, -1)
        self._epochs[trial] = max(epochs, self._epochs.get(trial, -1))
        return further


def killed_twice(error: BaseException) -> TrainingError:
    """The failure of a trial that may not be tried again."""
    return TrainingError(
        f"it was lost twice without getting any further (the last time: {str(error).rstrip('.')}). "
        f"Most likely the memory does not suffice: lower recipe.batch_size or compute.workers"
    )


def is_missing_input(error: BaseException) -> bool:
    """Whether a node could not load what has no version yet.

    By the message: the catalog wraps Kedro's error for it, and processes lose the cause.
    """
    return isinstance(error, DatasetError) and NO_VERSIONS in str(error)


def missing_input(node: Node, error: BaseException) -> DataError:
    """The error of a node whose input an earlier stage makes."""
    dataset = str(error).partition(":")[0]
    return DataError(
        f"{node.name} needs '{dataset}', which an earlier stage makes, and there is none yet. "
        f"Run the stages before it first: {current_configuration().command_before()}"
    )


def summary(failures: Mapping[str, BaseException]) -> str:
    """The last word of a run in which trials failed."""
    lines = [f"{counted(len(failures), 'trial')} failed; the others were finished and are kept:"]
    for namespace, error in failures.items():
        lines.append(f"  {namespace}: {reason(error)}")
        lines.append(f"    to retry just this: {_command()} --namespaces={namespace}")
    lines.append(
        f"To retry all that failed and make the tables again: {_command()}\n"
        f"What was trained is not trained again."
    )
    return "\n".join(lines)


def reason(error: BaseException) -> str:
    """An error in one line; the name of its class only where it is no error of ours."""
    text = str(error)
    return text if isinstance(error, LongtailError) else f"{type(error).__name__}: {text}"


def _command() -> str:
    """The command that was given, without what it was cut to."""
    if Path(sys.argv[0]).name != "kedro":
        return "kedro run --pipeline=full"
    kept, arguments = ["kedro"], iter(sys.argv[1:])
    for argument in arguments:
        if argument in SLICING:
            next(arguments, None)  # its value
        elif argument.partition("=")[0] not in SLICING:
            kept.append(argument)
    return shlex.join(kept)
