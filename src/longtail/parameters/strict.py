"""What all parameter models share: they are frozen, and refuse unknown keys and other types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from inspect import isclass
from typing import Any, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from longtail.parameters.layers import TAGS

# How many valid names a message lists: all keys and methods, but not all trials of a large grid.
MOST_NAMES = 60

# The errors of values that do not fit each other.
Contradictions = Iterator[PydanticCustomError]


class Strict(BaseModel):
    """A frozen model that refuses unknown keys, values of another type, infinities and NaN."""

    # Strict: neither booleans, text nor 2.0 are integers, and neither 1 nor "yes" is a boolean.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """The model itself: it never changes, and Kedro copies each parameter that it loads."""
        return self

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if isinstance(values, dict):
            for key in values:
                if key not in cls.model_fields:
                    kind, deeper = cls._kind_of(values), _path_below(cls, str(key))
                    message = unknown(str(key), cls.model_fields, "key", kind, deeper)
                    raise PydanticCustomError("unknown_key", "{message}", {"message": message})
        return values

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        for error in self._contradictions():
            raise error
        return self

    def _contradictions(self) -> Contradictions:
        """The errors of values that do not fit each other; the first one is raised."""
        yield from ()

    @classmethod
    def _kind_of(cls, values: dict[str, Any]) -> str:
        """What says which member of a union this model is, such as " with kind: cosine"."""
        for tag in TAGS:
            field = cls.model_fields.get(tag)
            if field is not None and tag in values and get_origin(field.annotation) is Literal:
                return f" with {tag}: {values[tag]}"
        return ""


def key_error(key: str, message: str) -> PydanticCustomError:
    """The error of one key of a model, which may depend on its other keys."""
    return PydanticCustomError("key_error", "{message}", {"key": key, "message": message})


def models_in(annotation: Any) -> Iterator[type[Strict]]:
    """The models that a field of this type can hold."""
    if isclass(annotation) and issubclass(annotation, Strict):
        yield annotation
    else:
        for argument in get_args(annotation):
            yield from models_in(argument)


def _path_below(model: type[Strict], key: str) -> str | None:
    """Where a model has a key of this name, such as ``profile.imbalance_factor``.

    The nearest place is given. What is below a name of the user's, as in ``datasets``, is left out.
    """
    level, seen = [("", model)], {model}
    while level:
        inner = [
            (f"{path}{name}.", part)
            for path, outer in level
            for name, field in outer.model_fields.items()
            if get_origin(field.annotation) not in (dict, tuple)
            for part in models_in(field.annotation)
            if part not in seen
        ]
        seen.update(part for _, part in inner)
        for path, part in inner:
            if key in part.model_fields:
                return path + key
        level = inner
    return None


def unknown(
    name: str, known: Iterable[Any], noun: str, where: str = "", meant: str | None = None
) -> str:
    """Say that ``name`` is not a known ``noun``, what is similar, and what is valid.

    Args:
        name: name that was given.
        known: the valid names.
        noun: noun for what they name, such as "key".
        where: text that follows the name, such as " with kind: cosine".
        meant: a name to suggest, whatever is similar.
    """
    names = [str(entry) for entry in known]
    same = [entry for entry in names if entry.casefold() == name.casefold()]
    near = [meant] if meant else same or get_close_matches(name, names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    others = f", and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    valid = ", ".join(names[:MOST_NAMES]) or "there is none"
    return f"unknown {noun} '{name}'{where}.{hint} Valid: {valid}{others}"
