"""Tables of records: nights by species, occurrences, and left-out photographs."""

from __future__ import annotations

import pandera.pandas as pa

from longtail.schemas.captures import IS_DATE, IS_TIME
from longtail.schemas.columns import number, table, text, whole

NIGHTS = table(
    "nights",
    "One row per night and species.",
    {
        "night": text("date of its evening; empty if it is not known", IS_DATE, optional=True),
        "species": text(
            "name that a person gave, perhaps of a genus, or else the most probable species",
            optional=True,
        ),
        "class_name": text("the same as names.csv has it, if the model has it", optional=True),
        "trusted": whole("photographs of which the model is sure that they show it"),
        "checked": whole("photographs that a person gave this name"),
        "all": whole("photographs"),
    },
)

OCCURRENCES = table(
    "occurrences",
    "One row per photograph with a name and a time, in the terms of Darwin Core.",
    {
        "occurrenceID": text("file of the photograph, with the box if it has one"),
        "basisOfRecord": text("a camera recorded it", one_of=("MachineObservation",)),
        "occurrenceStatus": text("absences are not recorded", one_of=("present",)),
        "eventID": text("deployment and night"),
        "eventDate": text("local time, with its offset if that is known", IS_TIME),
        "scientificName": text("trusted name, or the one that a person gave"),
        "taxonRank": text("rank of the name", optional=True),
        "decimalLatitude": number("in degrees", pa.Check.in_range(-90, 90), missing=True),
        "decimalLongitude": number("in degrees", pa.Check.in_range(-180, 180), missing=True),
        "geodeticDatum": text("reference system of the position", one_of=("WGS84",), optional=True),
        "locationID": text("the deployment", optional=True),
        "recordedBy": text("predict.survey.recorder", optional=True),
        "identifiedBy": text("a person, or the model with the fingerprint of its training"),
        "dateIdentified": text("time when a person named it", optional=True),
        "identificationVerificationStatus": text(
            "whether a person named it", one_of=("verified by human", "unverified")
        ),
        "identificationRemarks": text(
            "probability of the model's name and the error rate at which it is trusted, or the "
            "species that a person was not sure of",
            optional=True,
        ),
        "associatedMedia": text("file of the photograph"),
    },
)

LEFT_OUT = table(
    "left out",
    "One row per photograph or line that the records leave out.",
    {
        "record": text("the file that leaves it out, or the table with the mistake"),
        "file": text("the photograph; empty for a line of a table", optional=True),
        "why": text("the reason"),
    },
)
