"""A Camtrap DP package: deployments, media and observations in the standard of TDWG.

Camtrap DP 1.0.2, https://camtrap-dp.tdwg.org; Bubnicki et al. 2023, "Camtrap DP: an open standard
for the FAIR exchange and archiving of camera trap data".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pandas as pd

from longtail.parameters import Survey
from longtail.records.deployments import Deployment, Deployments
from longtail.records.identifications import ANIMAL_KIND, RELATIVE_BOX

VERSION = "1.0.2"
SCHEMAS = f"https://raw.githubusercontent.com/tdwg/camtrap-dp/{VERSION}"
# All columns of the tables, in the order of the standard.
CAMTRAP_COLUMNS = {
    "deployments": (
        *("deploymentID", "locationID", "locationName", "latitude", "longitude"),
        *("coordinateUncertainty", "deploymentStart", "deploymentEnd", "setupBy", "cameraID"),
        *("cameraModel", "cameraDelay", "cameraHeight", "cameraDepth", "cameraTilt"),
        *("cameraHeading", "detectionDistance", "timestampIssues", "baitUse", "featureType"),
        *("habitat", "deploymentGroups", "deploymentTags", "deploymentComments"),
    ),
    "media": (
        *("mediaID", "deploymentID", "captureMethod", "timestamp", "filePath", "filePublic"),
        *("fileName", "fileMediatype", "exifData", "favorite", "mediaComments"),
    ),
    "observations": (
        *("observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd"),
        *("observationLevel", "observationType", "cameraSetupType", "scientificName", "count"),
        *("lifeStage", "sex", "behavior", "individualID", "individualPositionRadius"),
        *("individualPositionAngle", "individualSpeed", "bboxX", "bboxY", "bboxWidth"),
        *("bboxHeight", "classificationMethod", "classifiedBy", "classificationTimestamp"),
        *("classificationProbability", "observationTags", "observationComments"),
    ),
}
CAMTRAP_RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species", "subspecies")
# A path that the standard refuses: an absolute one, or one that leads out of the package.
_BAD_PATH = re.compile(r"^[./~]|\.\.")
_HAS_OFFSET = re.compile(r"[+-]\d\d:\d\d$")
BOX_TERMS = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")
DECIMALS = 6  # of probabilities and boxes
# Decimals of a position in the name of a deployment without a trap: a precision of eleven metres.
PLACES = 4
# Media types that differ from the ending of the file's name.
_MEDIA_TYPES = {
    **dict.fromkeys(("jpg", "jpe", "jpeg", "jfif"), "image/jpeg"),
    **{"tif": "image/tiff", "hif": "image/heif", "svg": "image/svg+xml"},
    **{ending: f"image/{ending}" for ending in ("png", "webp", "heic", "heif", "avif", "tiff")},
    **{ending: f"image/{ending}" for ending in ("bmp", "gif", "jp2", "jxl")},
}
NO_PACKAGE = (
    "No photograph has a time with an offset and a place, which Camtrap DP requires, so there is "
    "no package. See left_out.csv.\n"
)


class Camtrap(NamedTuple):
    """The files of a package by name, and the rows that are left out of it, with the reason."""

    files: dict[str, bytes]
    left_out: pd.DataFrame


def camtrap_package(
    identified: pd.DataFrame,
    deployments: Deployments,
    survey: Survey,
    title: str,
    created: datetime,
) -> Camtrap:
    """Make the package of the photographs that the standard can describe.

    Without deployments, each position is one. ``title`` is used if the survey has none.

    Returns:
        ``files`` and ``left_out`` (the columns file and why).
    """
    why = identified.apply(_why_not, axis=1)
    left_out = identified.assign(why=why).loc[why != "", ["file", "why"]]
    rows = identified[why == ""]
    if rows.empty:
        return Camtrap({"README.txt": NO_PACKAGE.encode()}, left_out)
    rows = rows.assign(
        deployment=[  # without a trap, the position
            row["deployment"] or f"{row['latitude']:.{PLACES}f}, {row['longitude']:.{PLACES}f}"
            for row in rows.to_dict("records")
        ]
    )
    rows = rows.sort_values(["deployment", "timestamp", "file"], kind="stable")
    tables = {
        "deployments": _deployments(rows, deployments),
        "media": _media(rows),
        "observations": _observations(rows),
    }
    package = _descriptor(tables, rows, survey, title, created)
    files = {"datapackage.json": f"{json.dumps(package, indent=2, ensure_ascii=False)}\n".encode()}
    for name, table in tables.items():
        # Paths and names as they are: the apostrophe of tables for spreadsheets would change them.
        text = table.reindex(columns=CAMTRAP_COLUMNS[name]).to_csv(index=False)
        files[f"{name}.csv"] = text.encode()
    return Camtrap(files, left_out)


def _why_not(row: pd.Series[Any]) -> str:
    """Return why the standard cannot describe a photograph; empty if it can."""
    if not row["timestamp"]:
        return row["error"] or "no time"
    if not row["night"]:
        return "the time is outside of the deployment"
    if not _HAS_OFFSET.search(row["timestamp"]):
        return "the time has no offset: set predict.time_zone"
    if pd.isna(row["latitude"]):
        return "no position"
    if _BAD_PATH.search(row["photograph"]):
        return "the path begins with a dot, a slash or a tilde, or has two dots in a row"
    return ""


def _deployments(rows: pd.DataFrame, known: Deployments) -> pd.DataFrame:
    """Return deployments of photographs, and traps without any whose place and period are known."""
    by_name = {row.name: row for row in known.rows}
    found = [
        _deployment(str(name), by_name.get(str(name)), group)
        for name, group in rows.groupby("deployment", sort=False)
    ]
    used = set(rows["deployment"])
    found += [
        _deployment(name, row, rows.iloc[:0])
        for name, row in by_name.items()
        if name not in used and row.latitude is not None and _limits(row)
    ]
    return pd.DataFrame(found)


def _deployment(name: str, known: Deployment | None, rows: pd.DataFrame) -> dict[str, Any]:
    limits = None if known is None else _limits(known)
    comment = ""
    if limits is None:
        times = sorted(map(datetime.fromisoformat, rows["timestamp"]))
        limits = times[0].isoformat(timespec="seconds"), times[-1].isoformat(timespec="seconds")
        comment = "start and end are those of the first and the last photograph"
    latitude, longitude = (None, None) if known is None else (known.latitude, known.longitude)
    if latitude is None:
        latitude, longitude = rows[["latitude", "longitude"]].iloc[0]
    return {
        "deploymentID": name,
        "locationName": name,
        "latitude": latitude,
        "longitude": longitude,
        "deploymentStart": limits[0],
        "deploymentEnd": limits[1],
        "deploymentComments": comment,
    }


def _limits(deployment: Deployment) -> tuple[str, str] | None:
    """Return the period of a deployment, if both ends are known with an offset."""
    start, end = deployment.start, deployment.end
    if start is None or end is None or start.tzinfo is None or end.tzinfo is None:
        return None
    return start.isoformat(timespec="seconds"), end.isoformat(timespec="seconds")


def _media(rows: pd.DataFrame) -> pd.DataFrame:
    photographs = rows.drop_duplicates("photograph")
    return pd.DataFrame(
        {
            "mediaID": photographs["photograph"],
            "deploymentID": photographs["deployment"],
            "timestamp": photographs["timestamp"],
            "filePath": photographs["photograph"],
            "filePublic": "false",
            "fileName": photographs["photograph"].map(lambda path: PurePosixPath(path).name),
            "fileMediatype": photographs["photograph"].map(_media_type),
        }
    )


def _observations(rows: pd.DataFrame) -> pd.DataFrame:
    places = [rows[name].round(DECIMALS) for name in RELATIVE_BOX]
    has_box = places[0].notna()
    return pd.DataFrame(
        {
            "observationID": rows["file"],
            "deploymentID": rows["deployment"],
            "mediaID": rows["photograph"],
            "eventID": rows["deployment"] + " " + rows["night"],
            "eventStart": rows["timestamp"],
            "eventEnd": rows["timestamp"],
            "observationLevel": "media",
            "observationType": rows["kind"],
            "scientificName": rows["scientific_name"],
            "count": has_box.map({True: "1", False: ""}).where(rows["kind"] == ANIMAL_KIND, ""),
            **dict(zip(BOX_TERMS, places, strict=True)),
            "classificationMethod": rows["method"],
            "classifiedBy": rows["by"],
            "classificationTimestamp": rows["when"],
            "classificationProbability": rows["probability"].round(DECIMALS),
            "observationComments": rows["remark"],
        }
    )


def _media_type(path: str) -> str:
    ending = PurePosixPath(path).suffix.lower().removeprefix(".")
    return _MEDIA_TYPES.get(ending, f"image/x-{ending}")  # raw files have no registered type


def _descriptor(
    tables: Mapping[str, pd.DataFrame],
    rows: pd.DataFrame,
    survey: Survey,
    title: str,
    created: datetime,
) -> dict[str, Any]:
    """Return the content of datapackage.json."""
    deployments = tables["deployments"]
    named = rows[rows["kind"] == ANIMAL_KIND].drop_duplicates("scientific_name")
    taxa = sorted(zip(named["scientific_name"], named["taxon_rank"], strict=True))
    return {
        "resources": [
            {
                "name": name,
                "path": f"{name}.csv",
                "profile": "tabular-data-resource",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "schema": f"{SCHEMAS}/{name}-table-schema.json",
            }
            for name in tables
        ],
        "profile": f"{SCHEMAS}/camtrap-dp-profile.json",
        "created": created.isoformat(timespec="seconds"),
        "title": survey.title or title,
        "contributors": [{"title": survey.recorder or "not stated", "role": "contact"}],
        "project": {
            "title": survey.title or title,
            "samplingDesign": survey.sampling_design,
            "captureMethod": [survey.capture_method],
            "individualAnimals": False,
            "observationLevel": ["media"],
        },
        "spatial": _spatial(deployments),
        "temporal": {
            "start": min(deployments["deploymentStart"])[:10],
            "end": max(deployments["deploymentEnd"])[:10],
        },
        "taxonomic": [
            {"scientificName": name} | ({"taxonRank": rank} if rank in CAMTRAP_RANKS else {})
            for name, rank in taxa
        ],
    }


def _spatial(deployments: pd.DataFrame) -> dict[str, Any]:
    """Return the rectangle around all deployments as GeoJSON; of one place, a point."""
    west, east = (float(deployments["longitude"].agg(end)) for end in ("min", "max"))
    south, north = (float(deployments["latitude"].agg(end)) for end in ("min", "max"))
    if west == east or south == north:
        places = deployments[["longitude", "latitude"]].drop_duplicates()
        return {"type": "MultiPoint", "coordinates": places.astype(float).to_numpy().tolist()}
    corners = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "bbox": [west, south, east, north], "coordinates": [corners]}
