"""Runs that another command starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Observer:
    """The files of a run that another command, such as `kedro lock`, has started.

    Attributes:
        quiet: whether the documents are not to be logged, because they are only compared.
        files: the files that the run has made, by data set, once it has ended.
    """

    quiet: bool
    files: dict[str, Path] = field(default_factory=dict)


current_observer: ContextVar[Observer | None] = ContextVar("observer", default=None)


@contextmanager
def observed(*, quiet: bool) -> Iterator[dict[str, Path]]:
    """Follow the run in this context: see :class:`Observer`, whose files it yields."""
    observer = Observer(quiet)
    token = current_observer.set(observer)
    try:
        yield observer.files
    finally:
        current_observer.reset(token)
