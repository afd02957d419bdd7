"""Sources of images. :func:`read_source` reads any source into pixels and an index."""

from longtail.sources.images import Images as Images
from longtail.sources.read import check_source as check_source, read_source as read_source
