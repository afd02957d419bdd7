"""Losses that are defined outside this package."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
import traceback
from abc import abstractmethod
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from longtail.arrays import Float64Array
from longtail.errors import ConfigurationError
from longtail.parameters.canonical_loss import CanonicalLoss
from longtail.parameters.messages import describe
from longtail.parameters.strict import Contradictions, Strict, key_error, unknown
from longtail.parameters.types import Text

# The group of entry points under which an installed package offers its losses.
ENTRY_POINTS = "longtail_losses"


class LossDefinition(Strict):
    """The base class of losses outside this package. Fields are hyperparameters, with defaults."""

    @abstractmethod
    def canonical(self, class_counts: Float64Array, scale: float) -> CanonicalLoss:
        """How the loss differs from cross-entropy.

        Weights and offsets need not be normalised: only the ratios of weights and the differences
        of offsets have an effect.

        Args:
            class_counts: training images of each class, all above 0, (classes,).
            scale: factor by which the classifier multiplies its logits; margins are in units of
                logits.
        """


class CustomLoss(Strict):
    """A loss that is defined outside this package.

    Attributes:
        type: its class, derived from ``LossDefinition``: an import path such as
            ``my_losses.ENet``, or the name of an entry point in the group ``longtail_losses``.
        parameters: hyperparameters of that class.
    """

    name: Literal["custom"]
    type: Text
    parameters: dict[str, Any] = Field(default_factory=dict)

    def _contradictions(self) -> Contradictions:
        definition = _loss_class(self.type)
        try:
            definition.model_validate(self.parameters)
        except ValidationError as error:
            yield key_error("parameters", f"of {self.type}: {describe(error)}")

    @property
    def definition(self) -> LossDefinition:
        """The loss itself, with its hyperparameters."""
        return _loss_class(self.type).model_validate(self.parameters)

    def canonical(self, class_counts: Float64Array, scale: float) -> CanonicalLoss:
        """The canonical form that the loss states: see :meth:`LossDefinition.canonical`.

        Raises:
            ConfigurationError: if it cannot be computed, or has values that cannot be used.
        """
        try:
            form = self.definition.canonical(class_counts, scale)
        except (Exception, SystemExit) as error:  # whatever the user's code raises
            frames = traceback.extract_tb(error.__traceback__)
            raise ConfigurationError(
                f"the loss '{self.type}' cannot be computed ({type(error).__name__}: {error}; "
                f"{_line(frames[-1])})"
            ) from error
        if not isinstance(form, CanonicalLoss):
            raise ConfigurationError(f"the loss '{self.type}' must return a CanonicalLoss")
        form.check_ranges(self.type, len(class_counts))
        return form

    @property
    def source_sha256(self) -> str:
        """The checksum of the file that defines the loss, whatever its line endings."""
        module = sys.modules[_loss_class(self.type).__module__]
        return hashlib.sha256(inspect.getsource(module).encode()).hexdigest()


def _loss_class(path: str) -> type[LossDefinition]:
    """The class with an import path, or the name of an entry point."""
    found = _imported(path) if "." in path else _entry_point(path)
    if not (inspect.isclass(found) and issubclass(found, LossDefinition)):
        raise key_error(
            "type", f"'{path}' is not a class derived from longtail.parameters.LossDefinition"
        )
    if inspect.isabstract(found):
        raise key_error("type", f"'{path}' does not define the method canonical")
    try:
        inspect.getsource(sys.modules[found.__module__])
    except (OSError, TypeError):
        raise key_error(
            "type",
            f"the source of '{path}' cannot be read, but its checksum is part of the fingerprint: "
            f"define the loss in a .py file",
        ) from None
    return found


def _imported(path: str) -> Any:
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever the user's module raises
        raise key_error(
            "type",
            f"cannot import '{module_name}' ({type(error).__name__}: {error}{_place(error)}",
        ) from None
    if not hasattr(module, name):
        own = [key for key, value in vars(module).items() if _is_definition(value)]
        raise key_error("type", f"{module_name}: {unknown(name, own, 'loss')}")
    return getattr(module, name)


def _place(error: BaseException) -> str:
    """Where an import failed: in a file, or since there is none."""
    if isinstance(error, SyntaxError):  # its message has the file and the line
        return "). Correct this line"
    ours = ("<frozen", __file__, str(importlib.__file__))
    stack = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in stack if not frame.filename.startswith(ours)]
    if not inside:
        return "). It must be a file in src/ or part of an installed package"
    return f"; {_line(inside[-1])}). Correct this line, or install what it imports"


def _line(frame: traceback.FrameSummary) -> str:
    return f"{Path(frame.filename).name}, line {frame.lineno}"


def _is_definition(value: Any) -> bool:
    return (
        inspect.isclass(value) and issubclass(value, LossDefinition) and value is not LossDefinition
    )


def _entry_point(name: str) -> Any:
    offered = entry_points(group=ENTRY_POINTS)
    if not offered:
        raise key_error(
            "type",
            f"'{name}' has no dot, as an import path such as my_losses.ENet has, and no installed "
            f"package offers losses (entry points of {ENTRY_POINTS})",
        )
    if name not in offered.names:
        message = unknown(name, sorted(offered.names), f"entry point of {ENTRY_POINTS}")
        raise key_error("type", f"{message}. An import path has a dot: my_losses.ENet")
    try:
        return offered[name].load()
    except (Exception, SystemExit) as error:  # whatever the package raises
        raise key_error(
            "type", f"cannot load the entry point '{name}' ({type(error).__name__}: {error})"
        ) from None
