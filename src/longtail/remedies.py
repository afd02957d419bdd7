"""What to do where something stored is missing, damaged, or was made with other parameters."""

from __future__ import annotations

from longtail.project import program

OR_GIVE = "Or give the parameters that they were made with."


def full_run() -> str:
    """The command that makes everything."""
    return f"{program()} run --pipelines=full with the same --env and --params"


def remedy() -> str:
    """What to do about results of other parameters."""
    return f"Make them again: {full_run()} (what has not changed is not trained again). {OR_GIVE}"


def rescore() -> str:
    """What to do about results whose trainings are current."""
    return f"Compute them again, which trains nothing: {full_run()}. {OR_GIVE}"


def make_again() -> str:
    """What to do about a version that lacks columns."""
    return f"If older code made it, make it again, which trains nothing: {full_run()}"


def train_again() -> str:
    """What to do about a training that is lost."""
    return (
        f"Train it again: {program()} run --pipelines=full with the --env and --params that it was "
        f"trained with"
    )
