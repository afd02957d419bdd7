"""Sources of images. :func:`read_source` reads any source into pixels and an index."""

from longtail.sources.images import Images
from longtail.sources.read import check_source, read_source

__all__ = ["Images", "check_source", "read_source"]
