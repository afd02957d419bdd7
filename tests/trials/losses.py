"""One loss of each kind that there is."""

from __future__ import annotations

from typing import get_args

from longtail.parameters import Loss
from tests.parameters.examples import EXAMPLES

KINDS = get_args(get_args(Loss)[0])
assert not (without := {kind.__name__ for kind in KINDS} - EXAMPLES.keys()), (
    f"add an example of {without} to tests/parameters/examples.py"
)
ONE_OF_EACH: list[Loss] = [kind.model_validate(EXAMPLES[kind.__name__]) for kind in KINDS]
