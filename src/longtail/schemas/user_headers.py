"""The usual headers of the columns of tables that users write, the best first.

They are written without case, spaces and punctuation. (No pandera: any module may import them.)
"""

from __future__ import annotations

from longtail.schemas.user_csv import Headers

_NAMES = ("species", "speciesname", "canonicalname", "scientificname", "taxon", "taxonname")
_LABELS = ("class", "classname", "label", "labelname", "category")
SPECIES_HEADERS: Headers = {"species": (*_NAMES, "name", *_LABELS)}
METADATA_HEADERS: Headers = {
    "file": (
        "file",
        "filepath",
        "path",
        "imagepath",
        "filename",
        "image",
        "imagefile",
        "imagename",
    ),
    "species": (*_NAMES, *_LABELS),
    "group": ("group", "series", "sequence", "sequenceid", "event", "eventid"),
    "split": ("split", "subset", "partition"),
}
PRIOR_HEADERS: Headers = {
    **SPECIES_HEADERS,
    "weight": ("weight", "prior", "frequency", "abundance", "count", "individualcount"),
}

# The usual ranks, lowest first.
RANKS = (
    *("subgenus", "genus", "subtribe", "tribe", "subfamily", "family", "superfamily"),
    *("infraorder", "suborder", "order", "superorder", "subclass", "class"),
    *("subphylum", "phylum", "kingdom", "domain"),
)
