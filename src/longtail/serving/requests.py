"""Requests that MLflow's scoring server refuses: with status 413, 415, 400 or 503 and a reason."""

from __future__ import annotations

import ctypes
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from types import ModuleType
from typing import Any

from mlflow.environment_variables import MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT
from mlflow.exceptions import MlflowException

from longtail.parameters import Serving

log = logging.getLogger(__name__)

TOO_LARGE, UNSUPPORTED, INVALID, BUSY = 413, 415, 400, 503
CONTENT_TYPES = ("application/json", "text/csv")
# A photograph is one value. A request with more separators than SEPARATORS per allowed photograph
# plus one per BYTES_PER_SEPARATOR bytes is refused unparsed: parsing many short values takes 20
# times their memory.
SEPARATORS, BYTES_PER_SEPARATOR = 16, 64
# An option of glibc's mallopt, and its value: larger blocks are returned when they are freed.
M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES = -3, 1 << 20
# Of MLflow's messages, which repeat the request.
MAX_MESSAGE = 300


class RefusedRequestError(MlflowException):
    """A request that is refused."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status

    def get_http_status_code(self) -> int:
        """The status of HTTP."""
        return self.status


def check_size(what: str, size: float, limits: Serving) -> None:
    """Refuse a request that exceeds a limit.

    Raises:
        RefusedRequestError: naming the limit.
    """
    limit = getattr(limits, what)
    if size > limit:
        raise RefusedRequestError(
            f"the request has {size:,.4g} {what}, more than the {limit:,} of serving.{what}: "
            f"send several smaller requests",
            TOO_LARGE,
        )


def guard(scoring_server: ModuleType, limits: Serving) -> None:
    """Let MLflow's server check requests before it parses them, and answer one at a time.

    MLflow has no hook for this, so its function that answers requests is replaced.
    """
    answer = scoring_server.invocations
    # One thread: memory that the decoder has freed is used again by the next request.
    worker = ThreadPoolExecutor(max_workers=1)
    # A little less than MLflow's limit, which answers without a reason and continues to compute.
    timeout_s = 0.9 * MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT.get()  # type: ignore[no-untyped-call]
    _return_freed_memory()

    @wraps(answer)
    def guarded(data: bytes, content_type: str | None, *others: Any) -> Any:
        try:
            _check_body(data, content_type, limits)
            future = worker.submit(answer, data, content_type, *others)
            try:
                return future.result(timeout_s)
            finally:
                future.cancel()  # if it has not begun
        except Exception as error:
            refused = _refusal(error)
        content = json.dumps({"error_code": "BAD_REQUEST", "message": refused.message})
        return scoring_server.InvocationsResponse(content, refused.status, "application/json")

    scoring_server.invocations = guarded  # type: ignore[attr-defined]


def _return_freed_memory() -> None:
    """Let the C library return freed pixels to the system at once, not keep them for later use."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # only glibc has it
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)


def _check_body(data: bytes, content_type: str | None, limits: Serving) -> None:
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind not in CONTENT_TYPES:
        raise RefusedRequestError(
            f"the Content-Type is '{kind}', must be {' or '.join(CONTENT_TYPES)}", UNSUPPORTED
        )
    check_size("megabytes", len(data) / 1e6, limits)
    separators = data.count(b"\n" if kind == "text/csv" else b",")
    most = SEPARATORS * limits.photographs
    if separators > most + len(data) // BYTES_PER_SEPARATOR:
        raise RefusedRequestError(
            f"the request has about {separators:,} values, more than the {limits.photographs:,} "
            f"of serving.photographs: send several smaller requests",
            TOO_LARGE,
        )


def _refusal(error: Exception) -> RefusedRequestError:
    """Why a request is refused, in one sentence."""
    if isinstance(error, RefusedRequestError):
        return error
    if isinstance(error, TimeoutError):
        return RefusedRequestError(
            "the request takes too long, or the server is busy: try again later", BUSY
        )
    if isinstance(error, RecursionError):
        return RefusedRequestError("the JSON is nested too deeply", INVALID)
    if isinstance(error, MemoryError):
        return RefusedRequestError("the request needs more memory than there is", TOO_LARGE)
    if isinstance(error, MlflowException):
        # MLflow repeats the request before or after the reason.
        reason = error.message.partition("\nInput:")[0].rpartition("\nError: ")[2]
        reason = " ".join(reason.rpartition(". Error: ")[2].split())[:MAX_MESSAGE]
        return RefusedRequestError(f"the request is invalid: {reason}", INVALID)
    log.warning("A request could not be read", exc_info=error)
    return RefusedRequestError(
        f"the request is invalid ({type(error).__name__}): send a column 'photograph' as "
        f"dataframe_split, dataframe_records, instances, inputs or CSV",
        INVALID,
    )
