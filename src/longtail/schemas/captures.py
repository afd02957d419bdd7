"""The columns of when and where photographs were taken."""

from __future__ import annotations

import pandera.pandas as pa

from longtail.schemas.columns import number, text
from longtail.schemas.vocabulary import CAPTURE_COLUMNS

IS_TIME = pa.Check.str_matches(
    r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([+-]\d\d:\d\d)?)?$",
    error="a time such as 2024-06-01T23:15:00+02:00",
)
IS_DATE = pa.Check.str_matches(r"^(\d{4}-\d\d-\d\d)?$", error="a date such as 2024-06-01")


def capture_columns(*, required: bool) -> dict[str, pa.Column]:
    """The columns ``CAPTURE_COLUMNS``."""
    where = "in degrees, of the deployment or else of EXIF"
    columns = (
        text(
            "local time of the photograph, with its offset if that is known",
            IS_TIME,
            optional=True,
            required=required,
        ),
        text(
            "date of the evening of its night, from noon to noon",
            IS_DATE,
            optional=True,
            required=required,
        ),
        text("the trap, from the table of deployments", optional=True, required=required),
        number(where, pa.Check.in_range(-90, 90), missing=True, required=required),
        number(where, pa.Check.in_range(-180, 180), missing=True, required=required),
        text("what is wrong with its time or place", optional=True, required=required),
    )
    return dict(zip(CAPTURE_COLUMNS, columns, strict=True))
