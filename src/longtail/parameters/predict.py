"""Predictions for new photographs."""

from __future__ import annotations

from longtail.parameters.strict import Strict
from longtail.parameters.types import Count, Name, Share, Text


class Predict(Strict):
    """Predictions for new photographs.

    Attributes:
        dataset: the data set with the species and trials; null for the only one of the grid.
        path: a folder, a zip file or an image file; ``*`` may stand for several.
        trial: the dotted name of a trained trial; null for the best on validation.
        prior: how common the species are where the photographs come from: ``uniform``, ``train``
            (as among the trial's training images), or a CSV file (species, weight).
        error_rate: the accepted share of wrong names among trusted ones; null for the first of
            0.05, 0.1, 0.15 and 0.2 with which any name can be trusted.
        confidence: of the certified ``error_rate``, and of intervals.
        species_list: a text or CSV file of the species that can occur; null for all.
        taxonomy: a CSV file (species, genus, family, ...); null for genera from binomial names.
        synonyms: a CSV file of names and their accepted names, or a Darwin Core Taxon file.
        only_new: whether photographs that the same model has named before, by the content of their
            files, are not computed again.
        gallery: the largest number of photographs on the page of names, the most doubtful ones.
    """

    dataset: Name | None = None
    path: Text | None = None
    trial: Text | None = None
    prior: Text = "uniform"
    error_rate: Share | None = None
    confidence: Share = 0.95
    species_list: Text | None = None
    taxonomy: Text | None = None
    synonyms: Text | None = None
    only_new: bool = True
    gallery: Count = 5000
