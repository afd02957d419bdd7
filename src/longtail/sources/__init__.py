"""Where images come from. Every source becomes the same two things: pixels and an index.

:func:`read` turns any source into an :class:`Images`.
"""

from longtail.sources.images import Images
from longtail.sources.read import check, read

__all__ = ["Images", "check", "read"]
