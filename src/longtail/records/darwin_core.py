"""Occurrences in Darwin Core (TDWG, https://dwc.tdwg.org/terms), as GBIF accepts them."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from longtail.records.identifications import ANIMAL_KIND, HUMAN
from longtail.wording import decimal


class Occurrences(NamedTuple):
    """The table of occurrences, and the rows with a name that are left out of it."""

    table: pd.DataFrame
    left_out: pd.DataFrame


def occurrences(identified: pd.DataFrame, recorder: str | None) -> Occurrences:
    """Make one row per photograph with a time and a name, trusted or given by a person."""
    named = identified[identified["kind"] == ANIMAL_KIND]
    is_dated = named["night"] != ""
    rows = named[is_dated]
    table = pd.DataFrame(
        {
            "occurrenceID": rows["file"],
            "basisOfRecord": "MachineObservation",  # by a camera, whoever names it
            "occurrenceStatus": "present",
            "eventID": (rows["deployment"] + " " + rows["night"]).str.strip(),
            "eventDate": rows["timestamp"],
            "scientificName": rows["scientific_name"],
            "taxonRank": rows["taxon_rank"],
            "decimalLatitude": rows["latitude"],
            "decimalLongitude": rows["longitude"],
            "geodeticDatum": rows["latitude"].notna().map({True: "WGS84", False: ""}),
            "locationID": rows["deployment"],
            "recordedBy": recorder or "",
            "identifiedBy": rows["by"],
            "dateIdentified": rows["when"],
            "identificationVerificationStatus": (rows["method"] == HUMAN).map(
                {True: "verified by human", False: "unverified"}
            ),
            # A name that the model gave has a probability.
            "identificationRemarks": [
                remark if pd.isna(p) else f"probability {decimal(p)}; {remark}"
                for p, remark in zip(rows["probability"], rows["remark"], strict=True)
            ],
            "associatedMedia": rows["photograph"],
        }
    )
    why = named.loc[~is_dated, "timestamp"].map(
        lambda time: "the time is outside of the deployment" if time else "no time"
    )
    return Occurrences(table, named.loc[~is_dated, ["file"]].assign(why=why))
