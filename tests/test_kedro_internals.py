"""Private API is used in one module, and does there what Kedro's own code does."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kedro.io.catalog_config_resolver import CatalogConfigResolver

from longtail.kedro_internals import CompiledPatterns

SOURCES = Path(__file__).parents[1] / "src" / "longtail"
ALLOWED = "kedro_internals.py"
OWN = {"self", "cls", "super", "other"}
# Documented names of the standard library: os._exit, namedtuple._fields and namedtuple._asdict.
PUBLIC = {"_exit", "_fields", "_asdict"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def is_of_this_class(value: ast.expr) -> bool:
    value = value.func if isinstance(value, ast.Call) else value
    return isinstance(value, ast.Name) and value.id in OWN


def private_uses(source: str) -> Iterator[str]:
    """Private attributes of other objects, and private imports from other packages."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            path = ast.unparse(node)
            # `self._loader._globals` is one of another object, `self._loader` is not.
            if not is_of_this_class(node.value):
                yield path
        if isinstance(node, ast.ImportFrom) and not str(node.module).startswith("longtail"):
            names = [*str(node.module).split("."), *(alias.name for alias in node.names)]
            yield from (name for name in names if is_private(name))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("dataset._version", ["dataset._version"]),
        ("self._executor._processes", ["self._executor._processes"]),
        ("from kedro.runner import _x", ["_x"]),
        ("from kedro_datasets._typing import X", ["_typing"]),
        ("self._x; super()._y(); cls._z; a.__dict__", []),
        ("from longtail.learning import _x", []),
    ],
)
def test_the_search_finds_private_names(source: str, found: list[str]) -> None:
    assert list(private_uses(source)) == found


def test_private_names_are_used_in_one_module() -> None:
    found = {
        str(file.relative_to(SOURCES)): list(private_uses(file.read_text(encoding="utf-8")))
        for file in SOURCES.rglob("*.py")
    }
    assert {file: uses for file, uses in found.items() if uses and file != ALLOWED} == {}


ENTRIES: dict[str, dict[str, Any]] = {
    "fixed": {"type": "pandas.CSVDataset", "filepath": "fixed.csv"},
    "train.{a}.{b}.model": {
        "type": "pickle.PickleDataset",
        "filepath": "{a}/{b}.pkl",
        "save_args": {"columns": ["{b}", "x"], "index": False},
    },
    "train.{a}.{b}.{table}": {"type": "pandas.CSVDataset", "filepath": "{a}/{b}/{table}.csv"},
    "{a}_table": {"type": "pandas.CSVDataset", "filepath": "{a}.csv"},
}


@pytest.mark.parametrize(
    "name", ["fixed", "train.x.y.model", "train.x.y.card", "train.x.y.z.model", "x_y_table", "no"]
)
def test_patterns_resolve_as_in_kedro(name: str) -> None:
    of_kedro = CatalogConfigResolver(
        ENTRIES, default_runtime_patterns={"{default}": {"type": "kedro.io.MemoryDataset"}}
    )
    compiled = CompiledPatterns(of_kedro)
    assert compiled.match_dataset_pattern(name) == of_kedro.match_dataset_pattern(name)
    ours, theirs = compiled.resolve_pattern(name), of_kedro.resolve_pattern(name)
    assert {**ours, "type": None} == {**theirs, "type": None}
    assert ours["type"].rpartition(".")[2] == theirs["type"].rpartition(".")[2]
