"""Columns for the time and the place of photographs."""

from __future__ import annotations

from functools import partial

import pandera.pandas as pa

from longtail.schemas.columns import number, text
from longtail.schemas.vocabulary import CAPTURE_COLUMNS

IS_TIME = pa.Check.str_matches(
    r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([+-]\d\d:\d\d)?)?$",
    error="a time such as 2024-06-01T23:15:00+02:00",
)
IS_DATE = pa.Check.str_matches(r"^(\d{4}-\d\d-\d\d)?$", error="a date such as 2024-06-01")


def capture_columns(*, required: bool) -> dict[str, pa.Column]:
    """Return the columns ``CAPTURE_COLUMNS``."""
    words = partial(text, optional=True, required=required)
    degrees = partial(
        number, "in degrees, of the deployment or else of EXIF", missing=True, required=required
    )
    columns = (
        words("local time of the photograph, with its offset if that is known", IS_TIME),
        words("date of the evening of its night, from noon to noon", IS_DATE),
        words("the trap, from the table of deployments"),
        degrees(pa.Check.in_range(-90, 90)),
        degrees(pa.Check.in_range(-180, 180)),
        words("what is wrong with its time or place"),
    )
    return dict(zip(CAPTURE_COLUMNS, columns, strict=True))
