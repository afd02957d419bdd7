"""The check of what is to be named."""

from __future__ import annotations

from pathlib import Path

from longtail.errors import ConfigurationError, DataError
from longtail.parameters import Parameters
from longtail.sources.photographs import find_photographs

# The priors that have names.
PRIORS = ("uniform", "train")


def check_request(parameters: Parameters) -> None:
    """Refuse a request to name photographs that are not there, or by lists that are not.

    Args:
        parameters: the current ones.

    Raises:
        ConfigurationError: if it is open which data set's species are meant.
        DataError: naming the key and what to do.
    """
    asked, datasets = parameters.predict, parameters.grid.datasets
    if asked.dataset is None and len(datasets) > 1:
        raise ConfigurationError(
            f"predict.dataset: name the data set whose species are meant, such as "
            f"--params=predict.dataset={datasets[0]}. The grid has {', '.join(datasets)}"
        )
    find_photographs(asked.path)  # a look at the names only
    files = {"species_list": asked.species_list, "taxonomy": asked.taxonomy}
    for key, file in files.items():
        if file is not None and not Path(file).expanduser().is_file():
            raise DataError(f"predict.{key}: there is no file '{file}'")
    if asked.prior not in PRIORS and not Path(asked.prior).expanduser().is_file():
        raise DataError(
            f"predict.prior: '{asked.prior}' is neither {' nor '.join(PRIORS)} nor a CSV file "
            f"(species, weight)"
        )
