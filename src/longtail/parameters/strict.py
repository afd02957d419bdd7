"""What all parameter models share: frozen, and a key that is not known is refused."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

# Names become parts of dataset names, of namespaces and of file paths.
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]


class Strict(BaseModel):
    """A frozen model that refuses unknown keys and says which ones it knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if isinstance(values, dict):
            for key in values:
                if key not in cls.model_fields:
                    raise ValueError(unknown(str(key), cls.model_fields, "key"))
        return values


def unknown(name: str, known: Any, noun: str) -> str:
    """Say that ``name`` is no known ``noun``, what is near to it, and what is known."""
    known = [str(k) for k in known]
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"unknown {noun} '{name}'.{hint} Valid: {', '.join(known)}"
