"""Limits of the served model."""

from __future__ import annotations

from longtail.parameters.strict import Strict
from longtail.parameters.types import Count

# The key of the exported recognizer's SHA-256 in the metadata of the served model.
RECOGNIZER_CHECKSUM = "recognizer_sha256"


class Serving(Strict):
    """Limits of one request to an exported model that MLflow serves; larger ones are refused.

    Attributes:
        photographs: most photographs in one request.
        megabytes: largest body of a request, in units of 10^6 bytes. Base64 is a third larger than
            files.
        megapixels: largest sum over the photographs of a request, in units of 10^6 pixels. A JPEG
            counts with the size at which it is decoded, which is reduced for large ones.
    """

    photographs: Count = 64
    megabytes: Count = 100
    megapixels: Count = 100
