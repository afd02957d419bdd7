"""The lock of a report: the checksums of the files it was made of, and of its documents."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

import longtail
from longtail.errors import ConfigurationError, DataError
from longtail.parameters import Grid, Strict
from longtail.parameters.nesting import changes, flatten, nest
from longtail.parameters.reference import machine_paths
from longtail.progress import progress_bar
from longtail.project import program
from longtail.storage.files import atomic_file, sha256_of_file
from longtail.wording import counted

# The name of the lock of an environment, in its folder of the configuration.
LOCK_FILE = "lock.yml"
# The start of the line with the checksum of all lines below it.
CHECKSUM_LINE = "# SHA-256 of the lines below: "
# The packages that write tables, figures and pages: other versions may write other bytes.
WRITERS = ("jinja2", "matplotlib", "numpy", "pandas", "pillow")

Keys = tuple[str, ...]


class File(Strict):
    """One version of a data set, and the checksum of its file."""

    version: str
    sha256: str


class Lock(Strict):
    """The files that a report was made of, and its documents.

    Attributes:
        environment: environment of the run; None for the default one.
        parameters: those given to the run, without paths on a machine.
        grid: grid of the trials that the report shows.
        made_with: the versions of the packages that wrote the report.
        datasets: all that the stages before the report made, by name.
        documents: all that the report stage made, by name.
        tables: the checksums of the report's inputs that have no versions, such as a table of
            published results, by name.
    """

    environment: str | None
    parameters: dict[str, Any]
    grid: Grid
    made_with: dict[str, str]
    datasets: dict[str, File]
    documents: dict[str, File]
    tables: dict[str, str]

    @property
    def checksums(self) -> dict[str, str]:
        """The checksums of all that is locked, by name."""
        versioned = {name: file.sha256 for name, file in (self.datasets | self.documents).items()}
        return versioned | self.tables


def read(file: Path) -> Lock:
    """Read a lock.

    Raises:
        DataError: if there is none.
        ConfigurationError: if the file is not a lock, naming the invalid keys.
    """
    _refuse_folder(file)
    if not file.is_file():
        raise DataError(
            f"there is no lock {file}. Make one of what has been run: `{program()} lock` with the "
            f"--env and --params of the run"
        )
    try:
        text = file.read_text(encoding="utf-8")
        lock = Lock.model_validate(yaml.safe_load(text))
        if not _is_damaged(text):
            return lock
        reason = "the checksum in its first lines is missing or wrong"
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        reason = f"{error.problem}{line}"
    except (yaml.YAMLError, UnicodeDecodeError):
        reason = "it is not a text file"
    except ValidationError as error:
        reason = "; ".join(map(_mistake, error.errors()))
    raise ConfigurationError(
        f"{file} is not a lock that this version of longtail made: {reason}. Bring back the "
        f"file as it was, or make a new one with `{program()} lock`"
    )


def check_place(file: Path) -> None:
    """Refuse a file that a lock cannot be written to.

    Raises:
        ConfigurationError: naming the folder.
    """
    _refuse_folder(file)
    if not file.parent.is_dir():
        raise ConfigurationError(
            f"--file: there is no folder {file.parent} to write {file.name} to. Make it, or give a "
            f"file in another"
        )


def write(lock: Lock, file: Path) -> None:
    """Write a lock as YAML, one line per file.

    Raises:
        DataError: if the file must not be written.
    """
    text = yaml.safe_dump(
        lock.model_dump(mode="json"), default_flow_style=None, sort_keys=False, width=1000
    )
    heading = (
        "# Made by `kedro lock`. `kedro regenerate` makes the same report of the same files.\n"
    )
    try:
        with atomic_file(file.resolve()) as draft:  # a symbolic link stays one
            draft.write_text(f"{heading}{CHECKSUM_LINE}{_checksum(text)}\n{text}", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{file} cannot be written: {error.strerror}") from None


def made_with() -> dict[str, str]:
    """The current versions of what writes a report."""
    return {
        "longtail": longtail.__version__,
        "python": platform.python_version(),
        **{package: version(package) for package in WRITERS},
    }


def split_places(parameters: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split nested parameters into those that are paths on a machine, and the others."""
    leaves = dict(flatten(parameters))
    places = {path: value for path, value in leaves.items() if _is_place(path)}
    others = {path: value for path, value in leaves.items() if not _is_place(path)}
    return nest(places), nest(others)


def parameters_here(
    lock: Lock, environment: str | None, given: Mapping[str, Any], file: Path
) -> dict[str, Any]:
    """The locked parameters, updated with the paths on this machine.

    Raises:
        ConfigurationError: if the given environment or parameters differ from the locked ones.
    """
    if environment != lock.environment:
        known, asked = (
            f"--env={name}" if name else "no --env" for name in (lock.environment, environment)
        )
        raise ConfigurationError(f"{file} was made with {known}, and cannot be used with {asked}")
    places, others = split_places(given)
    if others and others != lock.parameters:
        raise ConfigurationError(
            f"--params: {file} was made with the parameters {lock.parameters}, which need not be "
            f"given again, and cannot be used with {others}. Only places on this machine can be "
            f"given: {', '.join('.'.join(place) for place in machine_paths())}"
        )
    return nest(dict(flatten(lock.parameters)) | dict(flatten(places)))


def check_fits(
    lock: Lock,
    grid: Grid,
    inputs: Iterable[str],
    documents: Iterable[str],
    tables: Iterable[str],
    file: Path,
) -> None:
    """Refuse a lock of other trials, or of another report, than the current ones.

    Raises:
        ConfigurationError: naming what differs.
    """
    was, now = lock.grid.model_dump(mode="json"), grid.model_dump(mode="json")
    if changed := "; ".join(changes(was, now, "grid")):
        raise ConfigurationError(
            f"{file} is the lock of another grid: {changed}. Take the change back, or "
            f"run the new grid and lock it with `{program()} lock`"
        )
    lacking = (
        (set(inputs) - set(lock.datasets))
        | (set(documents) ^ set(lock.documents))
        | (set(tables) ^ set(lock.tables))
    )
    if lacking:
        raise ConfigurationError(
            f"{file} is the lock of another version of the project or of its parameters, whose "
            f"report had not the same files: {', '.join(sorted(lacking))}. Make a new one with "
            f"`{program()} lock`"
        )


def deviations(locked: Mapping[str, str], found: Mapping[str, Path]) -> dict[str, str]:
    """How files differ from the locked ones, one phrase per name; empty if none differs.

    Args:
        locked: the checksums, by name.
        found: the files, which may be missing, by some of the names.
    """
    sums = checksums({name: path for name, path in found.items() if path.is_file()})
    phrases = {}
    for name, path in found.items():
        if name not in sums:
            phrases[name] = f"{path} is missing"
        elif sums[name] != locked[name]:
            phrases[name] = f"{path} is not as it was locked"
    return phrases


def checksums(files: Mapping[str, Path]) -> dict[str, str]:
    """The SHA-256 of files by name; progress is shown."""
    sizes = {name: file.stat().st_size for name, file in files.items()}
    sums = {}
    with progress_bar(f"Checksums of {counted(len(files), 'file')}", sum(sizes.values())) as done:
        for name, file in files.items():
            sums[name] = sha256_of_file(file)
            done(sizes[name])
    return sums


def other_writers(lock: Lock) -> list[str]:
    """The packages whose versions differ from the locked ones, with both versions."""
    now = made_with()
    return [
        f"{name} was {was}, is {now.get(name)}"
        for name, was in lock.made_with.items()
        if was != now.get(name)
    ]


def _is_damaged(text: str) -> bool:
    """Whether a lock differs from its checksum, or has none."""
    stored, _, below = text.partition(CHECKSUM_LINE)[2].partition("\n")
    return stored != _checksum(below)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_folder(file: Path) -> None:
    if file.is_dir():
        raise ConfigurationError(
            f"{file} is a folder, but a lock is a file. Move it away, or name another with --file"
        )


def _mistake(error: ErrorDetails) -> str:
    """An invalid key of a lock, and what is wrong with it."""
    if not error["loc"]:
        return "it does not hold the keys of one"
    key = ".".join(map(str, error["loc"]))
    message = error["msg"].removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}"


def _is_place(path: Keys) -> bool:
    return any(
        len(place) == len(path) and all(a in ("*", b) for a, b in zip(place, path, strict=True))
        for place in machine_paths()
    )
