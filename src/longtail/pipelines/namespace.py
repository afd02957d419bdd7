"""Nodes whose inputs are named by the arguments of their functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import Parameter, signature
from typing import Any

from kedro.pipeline import Node

# What a function is, with its arguments, to the type checker.
Function = Callable[..., Any]


def of_dataset(*names: str) -> dict[str, str]:
    """Names in the catalog that begin with that of the data set, by what follows in them."""
    return {name: f"{{dataset}}_{name}" for name in names}


@dataclass(frozen=True)
class Namespace:
    """Makes the nodes of a namespace.

    Attributes:
        name: name of the namespace.
        tags: tags of its nodes.
        arguments: names in the catalog by the arguments of functions.
    """

    name: str
    tags: tuple[str, ...]
    arguments: Mapping[str, str]

    def node(
        self, function: Function, outputs: str | list[str], name: str | None = None, **more: str
    ) -> Node:
        """A node with the inputs that the function's arguments name.

        Args:
            function: function of the node. Unknown arguments with a default are left out.
            outputs: names of the outputs in the catalog.
            name: name of the node; by default that of the function.
            more: inputs by argument, in place of those of the namespace or besides them.
        """
        known = {**self.arguments, **more}
        taken = {
            argument: known[argument]
            for argument, is_needed in _arguments(function).items()
            if is_needed or argument in known
        }
        return self._node(function, {**taken, **more}, outputs, name)

    def joined(self, function: Function, parts: list[str], output: str, name: str) -> Node:
        """A node that joins any number of parts."""
        return self._node(function, parts, output, name)

    def _node(
        self, function: Function, inputs: Any, outputs: str | list[str], name: str | None
    ) -> Node:
        return Node(
            function,
            inputs=inputs,
            outputs=outputs,
            name=name or function.__name__,
            namespace=self.name,
            tags=self.tags,
        )


@cache
def _arguments(function: Function) -> dict[str, bool]:
    """The arguments of a function that have names, and whether each is needed."""
    return {
        argument.name: argument.default is Parameter.empty
        for argument in signature(function).parameters.values()
        if argument.kind is Parameter.POSITIONAL_OR_KEYWORD
    }
