"""From raw parameters to checked ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from longtail.errors import ConfigurationError
from longtail.parameters.messages import describe
from longtail.parameters.run import Parameters


def parse(config: Mapping[str, Any]) -> Parameters:
    """Check raw parameters.

    Raises:
        ConfigurationError: naming each wrong key, what is wrong with it, and what is valid.
    """
    try:
        return Parameters.model_validate(dict(config))
    except ValidationError as error:
        raise ConfigurationError(describe(error)) from None
