"""What lies in a data folder: artifacts with their versions, and trainings in the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["training", "draft", "checkpoint", "features", "logits"]


@dataclass(frozen=True)
class Content:
    """One file: its device and inode, under how many names it lies, and its size in bytes."""

    identity: tuple[int, int]
    links: int
    size: int


@dataclass(frozen=True)
class Version:
    """One version of an artifact.

    Attributes:
        name: the time of the run that saved it.
        contents: its files.
        own: whether it holds nothing but what the project writes there.
        complete: whether its file is there, so that it can be loaded.
    """

    name: str
    contents: tuple[Content, ...]
    own: bool
    complete: bool


@dataclass(frozen=True)
class Artifact:
    """Everything that was saved at one path.

    Attributes:
        path: in the data folder.
        entry: the path in the catalog that it is an instance of; None if there is none.
        versions: oldest first.
    """

    path: str
    entry: str | None
    versions: tuple[Version, ...]


@dataclass(frozen=True)
class Training:
    """An entry of the store: a training, a checkpoint, an array, or a killed process' draft.

    Attributes:
        name: of the folder or file.
        fingerprint: of the training, which may be that of logits; or the key of features.
        contents: its files.
        own: whether it holds nothing but what the store writes there.
        modified: when it was last written (features and logits: or used), in seconds since 1970.
    """

    name: str
    fingerprint: str
    kind: Kind
    contents: tuple[Content, ...]
    own: bool
    modified: float
