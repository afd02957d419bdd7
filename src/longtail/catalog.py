"""The project's data catalog."""

from __future__ import annotations

from kedro.framework.context import CatalogCommandsMixin
from kedro.io import DataCatalog


class LongtailCatalog(DataCatalog, CatalogCommandsMixin):
    """A ``DataCatalog`` with a name of its own, so that it can be sent to worker processes."""
