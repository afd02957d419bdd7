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
        *("file", "filepath", "path", "imagepath", "filename"),
        *("image", "imagefile", "imagename"),
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
# Columns of boxes: photograph, position, and the photograph's size beside corners.
BOX_HEADERS: Headers = {
    "file": METADATA_HEADERS["file"],
    "confidence": (
        *("confidence", "conf", "score", "boxconfidence", "detconf", "detscore"),
        *("detectionconfidence", "detectionscore", "probability"),
    ),
    "category": ("category", "categoryname", "class", "classname", "label", "labelname"),
}
BOX_SIZE_HEADERS: Headers = {
    "x": ("x", "left", "bboxx", "boxx", "bboxleft"),
    "y": ("y", "top", "bboxy", "boxy", "bboxtop"),
    "width": ("width", "w", "bboxwidth", "boxwidth", "bboxw", "boxw"),
    "height": ("height", "h", "bboxheight", "boxheight", "bboxh", "boxh"),
}
BOX_CORNER_HEADERS: Headers = {
    "xmin": ("xmin", "x1", "bboxxmin", "bboxx1"),
    "ymin": ("ymin", "y1", "bboxymin", "bboxy1"),
    "xmax": ("xmax", "x2", "bboxxmax", "bboxx2"),
    "ymax": ("ymax", "y2", "bboxymax", "bboxy2"),
}
PHOTOGRAPH_SIZE_HEADERS: Headers = {
    "photograph_width": ("imagewidth", "imgwidth", "width"),
    "photograph_height": ("imageheight", "imgheight", "height"),
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
DEPLOYMENT_HEADERS: Headers = {
    "deployment": (
        *("deployment", "deploymentid", "deploymentname", "name", "trap", "trapname", "trapid"),
        *("folder", "site", "sitename", "station", "location", "locationname", "locationid"),
    ),
    "latitude": ("latitude", "decimallatitude", "lat"),
    "longitude": ("longitude", "decimallongitude", "lon", "long", "lng"),
    "start": (
        *("start", "deploymentstart", "starttime", "startdate", "begin", "from"),
        *("setup", "setupdate"),
    ),
    "end": (
        *("end", "deploymentend", "endtime", "enddate", "to", "until"),
        *("retrieval", "retrievaldate"),
    ),
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
