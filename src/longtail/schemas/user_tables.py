"""Tables that users write: metadata of images, corrections, a taxonomy, a list of species, a prior.

Columns are found by the headers of :mod:`longtail.schemas.user_headers`.
"""

from __future__ import annotations

from functools import partial

import pandera.pandas as pa

from longtail.schemas.columns import Texts, at_least, number, table, text
from longtail.schemas.validation import KEY

PRINTABLE = pa.Check(
    lambda names: names.map(str.isprintable),
    error="plain text without line breaks or control characters",
)

# A column that users may leave out, and cells of it that they may leave empty.
_extra = partial(text, optional=True, required=False)

METADATA = table(
    "metadata",
    "One row per image.",
    {
        "file": text("path of the image below the source's path"),
        "species": text(
            "name of its class; rows without one are skipped", PRINTABLE, optional=True
        ),
        "group": _extra(
            "images of one group, such as a series of one animal, are kept on one side of a split"
        ),
        "split": _extra(
            "official split, if the data have one", one_of=("train", "validation", "test")
        ),
    },
    unique_column_names=True,
    rows=True,
)

CORRECTIONS = table(
    "corrections",
    "One row per photograph that a person has named; the page of names saves it.",
    {
        "file": text("path of the photograph, as in the table of names"),
        "name": text("the right name; empty if there is none", PRINTABLE, optional=True),
        "qualifier": _extra(
            "empty for a sure species, which joins the data set; else cf., aff., nr., sp. (a "
            "genus or higher), unknown or no animal"
        ),
        "sha256": _extra("checksum of the photograph's file"),
        "box": _extra(
            "x,y,width,height of the animal in the photograph, in pixels; empty for all of it"
        ),
        "by": _extra("person who named it"),
        "when": _extra("time when it was named, in ISO 8601"),
        "previous_answer": _extra("earlier answer of the model"),
        "folder": _extra("folder or zip file that the photograph was in"),
    },
    unique_column_names=True,
    rows=True,
)

TAXONOMY = table(
    "taxonomy",
    "One row per species, and one column per rank above it.",
    {
        "species": text("name of a class; rows without one are ignored", optional=True),
        "^(?!species$).+$": pa.Column(
            Texts(),
            regex=True,
            required=False,
            title="genus, family, ...",
            description="its groups, from the lowest rank to the highest; may be empty",
        ),
    },
    unique_column_names=True,
    rows=True,
)

SPECIES_LIST = table(
    "species list",
    "One name per line, or a CSV file with a column of names.",
    {"species": text("name of a class that can occur")},
    checks=[pa.Check(lambda names: len(names) > 0, error="names no species: give one per line")],
)

PRIOR = table(
    "prior",
    "One row per species.",
    {
        "species": text("name of a class"),
        "weight": number(
            "how common it is, in any unit: weights are divided by their sum", at_least(0)
        ),
    },
    metadata={KEY: ["species"]},
    unique_column_names=True,
    rows=True,
)
