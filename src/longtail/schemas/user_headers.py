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
CORRECTIONS_HEADERS: Headers = {
    "file": METADATA_HEADERS["file"],
    "sha256": ("sha256", "checksum"),
    "box": ("box",),
    "name": ("name",),
    "qualifier": ("qualifier", "identificationqualifier"),
    "by": ("by", "identifiedby"),
    "when": ("when", "dateidentified"),
    "previous_answer": ("previousanswer",),
    "folder": ("folder",),
}
_WEIGHTS = ("weight", "prior", "frequency", "abundance", "count", "individualcount")
PRIOR_HEADERS: Headers = {**SPECIES_HEADERS, "weight": _WEIGHTS}
SPECIES_LIST_HEADERS: Headers = {
    **SPECIES_HEADERS,
    "present": (
        *("present", "presence", "occurrencestatus", "occurs", "occurrence", "included", "include"),
        *_WEIGHTS,
    ),
}
_ACCEPTED = ("acceptednameusage", "acceptedscientificname", "acceptedname", "accepted")
SYNONYM_HEADERS: Headers = {
    "accepted": (*_ACCEPTED, "validname", "currentname", "preferredname"),
    "name": ("scientificname", "synonym", "name", "canonicalname", "taxonname", "species"),
    "taxon_id": ("taxonid",),
    "accepted_id": ("acceptednameusageid",),
}

# The usual ranks, lowest first.
RANKS = (
    *("subgenus", "genus", "subtribe", "tribe", "subfamily", "family", "superfamily"),
    *("infraorder", "suborder", "order", "superorder", "subclass", "class"),
    *("subphylum", "phylum", "kingdom", "domain"),
)
# Columns beside them in Darwin Core files and GBIF's lists of species.
NO_RANKS = frozenset(
    (
        *("taxonid", "taxonkey", "acceptednameusageid", "acceptedtaxonkey", "specieskey"),
        *(f"{rank}key" for rank in RANKS),
        *("scientificname", "scientificnameauthorship", "acceptednameusage", "authorship"),
        *("acceptedscientificname", "canonicalname", "verbatimscientificname", "genericname"),
        *("specificepithet", "infraspecificepithet", "taxonrank", "taxonomicstatus"),
        *("numberofoccurrences", "vernacularname", "iucnredlistcategory", "taxonremarks"),
    )
)
