"""Predictions for new photographs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from longtail.parameters.sources import PhotographSource
from longtail.parameters.strict import Strict
from longtail.parameters.types import (
    Confidence,
    Count,
    Folds,
    MachinePath,
    Name,
    Seed,
    Share,
    Text,
)


class Survey(Strict):
    """What the photographs are from, for the records that are published.

    Attributes:
        title: title of the survey; null for the label of the data set.
        recorder: the person or organisation who took the photographs.
        sampling_design: choice of the places (Camtrap DP's samplingDesign).
        capture_method: whether the camera took photographs at intervals, or when something moved.
    """

    title: Text | None = None
    recorder: Text | None = None
    sampling_design: Literal[
        "simpleRandom",
        "systematicRandom",
        "clusteredRandom",
        "experimental",
        "targeted",
        "opportunistic",
    ] = "opportunistic"
    capture_method: Literal["timeLapse", "activityDetection"] = "timeLapse"


class Predict(PhotographSource):
    """Predictions for new photographs.

    Attributes:
        dataset: the data set with the species and trials; null for the only one of the grid.
        path: a folder, a zip file or an image file; ``*`` may stand for several.
        box_margin: margin that is cut beyond a box on each side, as a share of its longer side;
            also of boxes that have been corrected and join a data set.
        trial: the dotted name of a trained trial; null for the best on validation.
        cross_fitting: whether the trial learns again from all photographs, test and validation
            included, and is measured by cross-validation: if its backbone is ``frozen``, which
            takes seconds, ``always`` or ``never``.
        folds: number of folds of that cross-validation.
        folds_seed: seed of the random folds.
        prior: how common the species are where the photographs come from: ``uniform``, ``train``
            (as among the trial's training images), or a CSV file (species, weight).
        error_rate: the highest share of trusted names that may be wrong; null tries 0.05, 0.1, 0.15
            and 0.2, and takes the first that certifies a threshold.
        confidence: confidence level of the certified ``error_rate`` and of intervals.
        species_list: a text or CSV file of the species that can occur; null for all.
        taxonomy: a CSV file (species, genus, family, ...); null for genera from binomial names.
        synonyms: a CSV file of names and their accepted names, or a Darwin Core Taxon file.
        corrections: a table of photographs that a person has named, such as the page of names saves
            it, or a folder of them: records say so of these photographs. Null for none.
        deployments: a CSV file with one row per trap (name, latitude, longitude, start, end), whose
            name is that of a folder of photographs.
        time_zone: time zone of times without an offset, such as ``Europe/London`` or ``+02:00``;
            null if it is not known.
        survey: survey that the photographs come from.
        spreadsheet: a copy of the table of names for spreadsheets: ``xlsx``, or ``semicolons`` for
            a CSV file with semicolons and decimal commas. Null for none.
        only_new: whether photographs that the same model has named before, by the content of their
            files, are not computed again.
        gallery: the largest number of photographs on the page of names, the most doubtful ones.
    """

    dataset: Name | None = None
    box_margin: Annotated[float, Field(ge=0, le=2)] = 0.1
    trial: Text | None = None
    cross_fitting: Literal["frozen", "always", "never"] = "frozen"
    folds: Folds = 10
    folds_seed: Seed = 0
    prior: Text = "uniform"
    error_rate: Share | None = None
    confidence: Confidence = 0.95
    species_list: MachinePath | None = None
    taxonomy: MachinePath | None = None
    synonyms: MachinePath | None = None
    corrections: MachinePath | None = None
    deployments: MachinePath | None = None
    time_zone: Text | None = None
    survey: Survey = Survey()
    spreadsheet: Literal["xlsx", "semicolons"] | None = None
    only_new: bool = True
    gallery: Count = 5000
