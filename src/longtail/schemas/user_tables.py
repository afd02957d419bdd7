"""Tables that users write: metadata of images, corrections, a taxonomy, a list of species, a prior.

Columns are found by the headers of :mod:`longtail.schemas.user_headers`.
"""

from __future__ import annotations

import pandera.pandas as pa

from longtail.schemas.columns import Texts, at_least, number, table, text
from longtail.schemas.validation import KEY

PRINTABLE = pa.Check(
    lambda names: names.map(str.isprintable),
    error="plain text without line breaks or control characters",
)


METADATA = table(
    "metadata",
    "One row per image.",
    {
        "file": text("path of the image below the source's path"),
        "species": text(
            "name of its class; rows without one are skipped", PRINTABLE, optional=True
        ),
        "group": text(
            "images of one group, such as a series of one animal, are kept on one side of a split",
            optional=True,
            required=False,
        ),
        "split": text(
            "official split, if the data have one",
            one_of=("train", "validation", "test"),
            optional=True,
            required=False,
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
        "qualifier": text(
            "empty for a sure species, which joins the data set; else cf., aff., sp. (a genus or "
            "higher), unknown or no animal",
            optional=True,
            required=False,
        ),
        "sha256": text("checksum of the photograph's file", optional=True, required=False),
        "box": text(
            "x,y,width,height of the animal in the photograph, in pixels; empty for all of it",
            optional=True,
            required=False,
        ),
        "by": text("person who named it", optional=True, required=False),
        "when": text("time when it was named, in ISO 8601", optional=True, required=False),
        "previous_answer": text("earlier answer of the model", optional=True, required=False),
        "folder": text(
            "folder or zip file that the photograph was in", optional=True, required=False
        ),
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
