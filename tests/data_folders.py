"""Small data folders with the layout that runs write, for tests of what is kept and removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from longtail.storage.files import write_checksum

A, B, C, D = (f"2001-01-0{day}T00.00.00.000Z" for day in (1, 2, 3, 4))
RESULTS = "07_model_output/digits/results.csv"
CARD = "06_models/digits/balanced/vit_micro/ldam/seed0/card.json"
TRAININGS = "07_model_output/digits/trainings.csv"
STORE = "06_models/store"


def fingerprint(letter: str) -> str:
    return letter * 64


def save(data: Path, artifact: str, version: str, contents: str = "0123456789") -> Path:
    """Save a version of an artifact."""
    file = data / artifact / version / Path(artifact).name
    file.parent.mkdir(parents=True)
    file.write_text(contents)
    return file


def save_whole(data: Path, artifact: str, version: str, contents: str) -> Path:
    """Save a version that is read, and so has a checksum."""
    file = save(data, artifact, version, contents)
    write_checksum(file, content=file)
    return file


def save_card(data: Path, version: str, letter: str) -> Path:
    return save_whole(data, CARD, version, json.dumps({"fingerprint": fingerprint(letter)}))


def save_training(data: Path, letter: str, suffix: str = "", size: int = 100) -> Path:
    """Save a training of ``size`` bytes in the store."""
    folder = data / STORE / f"{fingerprint(letter)}{suffix}"
    folder.mkdir(parents=True)
    for name in ("history.csv", "card.json"):
        (folder / name).write_text("")
    (folder / "model.safetensors").write_bytes(bytes(size))
    return folder


def save_checkpoint(data: Path, letter: str) -> Path:
    file = data / STORE / f"{fingerprint(letter)}.checkpoint"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(50))
    return file


def versions(data: Path, artifact: str) -> list[str]:
    return sorted(path.name for path in (data / artifact).iterdir())


def stored(data: Path) -> set[str]:
    """The first letter and the suffix of each entry of the store."""
    names = {path.name for path in (data / STORE).iterdir()} - {"locks"}
    return {name[0] + name[64:] for name in names}


def tree(folder: Path) -> dict[str, Any]:
    """All files with their contents, except locks and records of runs in progress."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock" and ".runs" not in path.parts
    }
