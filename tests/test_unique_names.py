"""A constant, a type or a class of the package has one meaning, and so has its name."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import longtail

PACKAGE = Path(longtail.__file__).parent
# Each module has a logger.
SHARED = {"log"}


def defined(module: ast.Module) -> Iterator[str]:
    """The public names of constants, type aliases and classes. (Functions are called by module.)"""
    for statement in module.body:
        if isinstance(statement, ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Assign):
            names = (node for target in statement.targets for node in ast.walk(target))
            yield from (
                node.id
                for node in names
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            )
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id


def test_no_public_name_is_defined_by_two_modules() -> None:
    modules: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in defined(ast.parse(path.read_text())):
            if not name.startswith("_") and name not in SHARED:
                modules[name].append(path.relative_to(PACKAGE).as_posix())
    assert len(modules) > 500
    assert {name: where for name, where in modules.items() if len(where) > 1} == {}
