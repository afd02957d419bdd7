"""Pretrained weights in published files: state dicts, checkpoints, archives.

The contents of a file, not its ending, determine how it is read. No code in it is run.
"""

from __future__ import annotations

import argparse
import logging
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from longtail.errors import DataError
from longtail.wording import counted

log = logging.getLogger(__name__)

# Levels of dictionaries and of wrapping modules above the names of the weights.
MAX_LEVELS = 5
WRAPPERS = tuple(
    f"{name}."
    for name in (
        *("model_ema", "state_dict_ema", "ema", "model", "model_state", "model_state_dict"),
        *("state_dict", "module", "_orig_mod", "backbone", "teacher"),
    )
)
# Harmless classes that checkpoints of training programs have beside the weights.
HARMLESS = (
    argparse.Namespace,
    np.dtype,
    np.float64(0).__reduce__()[0],  # makes NumPy's scalars
    *(getattr(np.dtypes, name) for name in np.dtypes.__all__),
)
# Beginnings of files that are no weights.
NO_WEIGHTS = {
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself. Run: git lfs pull",
    b"<": "a web page, perhaps of a login, not the file itself",
    b"\x89HDF": "an HDF5 file, perhaps of Keras, which must be converted to a state dict of torch",
}


def read_weight_file(file: Path, key: str, names: Collection[str]) -> dict[str, Tensor]:
    """Read the weights in a file, by the names that a network has for them.

    The names may be nested in dictionaries (``state_dict``, ``model``, ``model_ema``, ...) and have
    prefixes (``module.``, ``backbone.``, ``_orig_mod.``, ...). Of several sets of weights, the one
    with the most names of the network is taken; of equal ones, a moving average or else the first.

    Args:
        file: a safetensors file, an archive of NumPy, or a file of ``torch.save``.
        key: key of the parameter, for messages.
        names: names of the network's weights.

    Returns:
        All weights in the chosen set, even if the network has no such name.

    Raises:
        DataError: if the file is damaged, needs code to be run, or has no weights.
    """
    where = f"{key}: '{file}'"
    tensors = dict(_tensors(_read(file, where)))
    if not tensors:
        raise DataError(f"{where} cannot be read as weights: it has no named arrays")
    prefix, others = _prefix(tensors, set(names))
    if others:
        log.info("%s: the weights '%s*' are used (others: %s)", file.name, prefix, others)
    weights = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor.float()).all():
            raise DataError(f"{where}: '{name}' has values that are infinite or not a number")
    return weights


def described(weights: Mapping[str, Tensor]) -> str:
    """Describe the contents of a file in words."""
    shown = [f"'{name}' {tuple(tensor.shape)}" for name, tensor in list(weights.items())[:3]]
    more = ", ..." if len(weights) > len(shown) else ""
    return f"{counted(len(weights), 'array')} ({', '.join(shown)}{more})"


def _read(file: Path, where: str) -> Any:
    """Return the content of a file.

    Raises:
        DataError: if it is not of a known kind, damaged, or needs code to be run.
    """
    unreadable = f"{where} cannot be read as weights:"
    try:
        return _content(file)
    except _UnusableError as error:
        raise DataError(f"{unreadable} {error}") from None
    except OSError as error:
        raise DataError(f"{unreadable} {error.strerror or error}") from error
    # Damaged files raise errors of many kinds; torch's messages advise to read them unsafely.
    except Exception as error:
        code = re.findall(r"GLOBAL ([\w.]+)", str(error))
        reason = (
            f"loading it would run code ({code[0]}). In the program that made it, save only the "
            f"weights: torch.save(network.state_dict(), '{file.name}')"
            if code
            else "it is truncated, damaged or of another kind"
        )
        raise DataError(f"{unreadable} {reason}") from error


class _UnusableError(Exception):
    """A file without weights; the message says what it is."""


def _content(file: Path) -> Any:
    with file.open("rb") as content:
        start = content.read(64)
    if not start:
        raise _UnusableError("it is empty")
    for beginning, what in NO_WEIGHTS.items():
        if start.lstrip().startswith(beginning):
            raise _UnusableError(f"it is {what}")
    if start[8:9] == b"{":
        return load_file(file)
    members = zipfile.ZipFile(file).namelist() if start.startswith(b"PK") else []
    if any(name.endswith(".npy") for name in members):
        with np.load(file, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays}
    if any(name.endswith("constants.pkl") for name in members):
        raise _UnusableError("it is a TorchScript program, not the state dict of a network")
    with warnings.catch_warnings(), torch.serialization.safe_globals(list(HARMLESS)):
        warnings.simplefilter("ignore")  # of protocols of pickle; what cannot be read is refused
        return torch.load(file, map_location="cpu", weights_only=True)


def _tensors(content: Any, prefix: str = "", level: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in nested dictionaries, by dotted names."""
    if not isinstance(content, Mapping) or level > MAX_LEVELS:
        return
    for name, value in content.items():
        if not isinstance(name, str):
            continue  # the state of an optimizer
        if isinstance(value, Tensor):
            if value.layout == torch.strided and not value.is_quantized:
                # A copy: two names may share their memory, which safetensors cannot save.
                copy = value.detach().clone(memory_format=torch.contiguous_format)
                # NumPy, which hashes them, has no bfloat16.
                yield prefix + name, copy.float() if value.dtype == torch.bfloat16 else copy
        else:
            yield from _tensors(value, f"{prefix}{name}.", level + 1)


def _prefix(tensors: Mapping[str, Tensor], names: set[str]) -> tuple[str, str]:
    """Return the prefix of the names that are a network's, and those of other sets, in words."""
    found: Counter[str] = Counter()
    for name in tensors:
        parts = name.split(".")
        for level in range(min(len(parts), MAX_LEVELS)):
            if ".".join(parts[level:]) in names:
                found["".join(f"{part}." for part in parts[:level])] += 1
    if not found or max(found.values()) < len(names) / 2:
        return _wrapper(tensors), ""
    most = max(found.values())
    best = [prefix for prefix, count in found.items() if count == most]
    chosen = next((prefix for prefix in best if "ema" in prefix.split(".")[0].split("_")), best[0])
    return chosen, ", ".join(f"'{prefix}*'" for prefix in best if prefix != chosen)


def _wrapper(tensors: Collection[str]) -> str:
    """Return usual prefixes of names that are not the network's: timm may convert such layouts."""
    prefix = ""
    while True:
        firsts = Counter(
            name.removeprefix(prefix).partition(".")[0] + "."
            for name in tensors
            if name.startswith(prefix)
        )
        [(first, count)] = firsts.most_common(1)
        if first not in WRAPPERS or 2 * count < firsts.total():
            return prefix
        prefix += first
