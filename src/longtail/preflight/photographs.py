"""The check of the photographs to name."""

from __future__ import annotations

from longtail.errors import ConfigurationError, DataError
from longtail.naming.recognizer import PRIOR_IN_WORDS
from longtail.parameters import Parameters
from longtail.project import from_root, located
from longtail.records.deployments import read_deployments
from longtail.records.times import time_zone_of
from longtail.sources.boxes.cut_photographs import check_boxes
from longtail.sources.corrections import read_corrections
from longtail.sources.photographs import find_photographs


def check_request(parameters: Parameters) -> None:
    """Refuse a folder of photographs, a list, a table or a prior that cannot be used.

    Raises:
        ConfigurationError: if there are several data sets to choose from, or no such time zone.
        DataError: naming the key and what to do.
    """
    asked, datasets = parameters.predict, parameters.grid.datasets
    if asked.dataset is None and len(datasets) > 1:
        raise ConfigurationError(
            f"predict.dataset: choose the data set whose species to use, such as "
            f"--params=predict.dataset={datasets[0]}. The grid has {', '.join(datasets)}"
        )
    found = find_photographs(asked.path)  # reads names, no images
    if asked.boxes is not None:
        check_boxes(found, asked, "predict")
    files = {
        "species_list": asked.species_list,
        "taxonomy": asked.taxonomy,
        "synonyms": asked.synonyms,
        "deployments": asked.deployments,
    }
    for key, file in files.items():
        if file is not None and not located(file).is_file():
            raise DataError(f"predict.{key}: there is no file '{file}'{from_root(file)}")
    zone = time_zone_of(asked.time_zone)
    if asked.corrections is not None:
        read_corrections(asked.corrections, "predict.corrections")
    read_deployments(asked.deployments, zone)
    if asked.prior not in PRIOR_IN_WORDS and not located(asked.prior).is_file():
        raise DataError(
            f"predict.prior: '{asked.prior}' is neither {' nor '.join(PRIOR_IN_WORDS)} nor a CSV "
            f"file (species, weight)"
        )
