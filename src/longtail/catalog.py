"""The project's data catalog."""

from __future__ import annotations

from kedro.framework.context import CatalogCommandsMixin
from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset, Version
from kedro.pipeline import Pipeline

from longtail.errors import ConfigurationError


class LongtailCatalog(DataCatalog, CatalogCommandsMixin):
    """A ``DataCatalog`` with a name of its own, so that it can be sent to worker processes."""

    def fix_versions(self, pipeline: Pipeline) -> None:
        """From now on load one version of each dataset, whatever other runs save meanwhile.

        What ``pipeline`` makes is loaded in the version that this run saves. What it only reads
        is loaded in the version that was asked for, or else in the one that is the newest now.

        Raises:
            ConfigurationError: if a version was asked for of what ``pipeline`` makes.
        """
        made = {_stored_name(name) for name in pipeline.all_outputs()}
        for name in sorted(pipeline.datasets()):
            dataset = self.get(name)
            if not isinstance(dataset, AbstractVersionedDataset) or dataset._version is None:
                continue
            asked, saved = dataset._version
            if _stored_name(name) in made:
                if asked not in (None, saved):
                    raise ConfigurationError(made_by_the_run(name))
                dataset._version = Version(saved, saved)
            elif asked is None and dataset.exists():
                dataset._version = Version(dataset.resolve_load_version(), saved)


def made_by_the_run(name: str) -> str:
    """Say that the version of a dataset cannot be chosen by ``--load-versions``, and why."""
    return (
        f"--load-versions: this run makes '{name}' and reads what it makes. Leave it out, or run "
        f"only stages that come after it (--pipelines)"
    )


def _stored_name(name: str) -> str:
    """A dataset's name without the form (``@pandas``) that a node reads or writes it in."""
    return name.partition("@")[0]
