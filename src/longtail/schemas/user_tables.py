"""Tables that users write: metadata of images, a taxonomy, a list of species, a prior."""

from __future__ import annotations

import pandera.pandas as pa

from longtail.schemas.columns import HAS_ROWS, at_least, number, text
from longtail.schemas.validation import KEY

PRINTABLE = pa.Check(
    lambda names: names.map(str.isprintable),
    error="plain text without line breaks or control characters",
)


METADATA = pa.DataFrameSchema(
    {
        "file": text("path of the image below the source's path"),
        "species": text("name of its class", PRINTABLE),
        "group": text(
            "images of one group, such as a series of one animal, are kept on one side of a split",
            optional=True,
            required=False,
        ),
        "split": text(
            "official split, if the data have one",
            one_of=("train", "test"),
            optional=True,
            required=False,
        ),
    },
    checks=HAS_ROWS,
    coerce=True,
    unique_column_names=True,
    name="metadata",
    description="One row per image.",
)

TAXONOMY = pa.DataFrameSchema(
    {
        "species": text("name of a class; rows without one are ignored", optional=True),
        "^(?!species$).+$": pa.Column(
            "str",
            regex=True,
            required=False,
            title="genus, family, ...",
            description="its groups, from the lowest rank to the highest; may be empty",
        ),
    },
    checks=HAS_ROWS,
    coerce=True,
    unique_column_names=True,
    name="taxonomy",
    description="One row per species, and one column per rank above it.",
)

SPECIES_LIST = pa.DataFrameSchema(
    {"species": text("name of a class that can occur")},
    checks=pa.Check(lambda table: len(table) > 0, error="names no species: give one per line"),
    coerce=True,
    name="species list",
    description="One name per line, or the first column of a CSV file.",
)

PRIOR = pa.DataFrameSchema(
    {
        "species": text("name of a class"),
        "weight": number(
            "how common it is, in any unit: weights are divided by their sum", at_least(0)
        ),
    },
    metadata={KEY: ["species"]},
    checks=HAS_ROWS,
    coerce=True,
    unique_column_names=True,
    name="prior",
    description="One row per species.",
)
