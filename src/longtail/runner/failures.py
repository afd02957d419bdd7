"""The messages of failed runs, and the commands that repeat them."""

from __future__ import annotations

import shlex
import sys
from collections import defaultdict
from collections.abc import Mapping

from longtail.errors import LongtailError, TrainingError
from longtail.project import program
from longtail.wording import counted

# Options of `kedro run` that choose a part of a pipeline.
SLICING = {
    *("--namespaces", "-ns", "--tags", "-t", "--nodes", "-n", "--from-nodes", "--to-nodes"),
    *("--from-inputs", "--to-outputs"),
}
# How the path of the program ends that has the arguments of a run.
STARTED_AS = ("/kedro", "/longtail", "/longtail/__main__.py")


def killed_twice(error: BaseException) -> TrainingError:
    """The failure of a trial that is not run again."""
    return TrainingError(
        f"its worker was lost twice without progress (last: {str(error).rstrip('.')}). The memory "
        f"is most likely not sufficient: lower recipe.batch_size or compute.workers"
    )


def summary(failures: Mapping[str, BaseException], trials: int) -> str:
    """The message at the end of a run in which some of its ``trials`` failed.

    A reason that several trials share is stated once.
    """
    others = "; the others are finished and saved" if len(failures) < trials else ""
    lines = [f"{counted(len(failures), 'trial')} failed{others}:"]
    names = defaultdict[tuple[str, str], list[str]](list)
    for namespace, error in failures.items():
        # Without what its message says, the same command would fail again.
        retry = "After that, to retry" if isinstance(error, LongtailError) else "To retry"
        names[reason(error), retry].append(namespace)
    for (why, retry), (first, *further) in names.items():
        lines.append(f"  {first}: {why}")
        lines += [f"  {namespace}: the same" for namespace in further]
        lines.append(f"    {retry} only this trial: {_command()} --namespaces={first}")
    lines.append(
        f"To retry all failed trials and make the tables again: {_command()}\n"
        f"Finished trials are trained again only if their parameters change."
    )
    return "\n".join(lines)


def reason(error: BaseException) -> str:
    """An error in one line, with the name of its class unless it is one of the project's own."""
    text = str(error)
    return text if isinstance(error, LongtailError) else f"{type(error).__name__}: {text}"


def _command() -> str:
    """The command that was given, without the options that select a part of the pipeline."""
    if not sys.argv[0].endswith(STARTED_AS):
        return f"{program()} run --pipelines=full"
    kept, arguments = [program()], iter(sys.argv[1:])
    for argument in arguments:
        if argument in SLICING:
            next(arguments, None)  # its value
        elif argument.partition("=")[0] not in SLICING:
            kept.append(argument)
    return shlex.join(kept)
