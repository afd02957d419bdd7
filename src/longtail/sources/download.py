"""Downloads that end: with a whole and verified file, or with the reason why there is none."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO

import psutil

from longtail.progress import progress_bar
from longtail.storage.write_errors import write_error

MAX_BYTES = 2 << 30
MAX_HOURS = 4.0
# A download is given up when the server sends nothing for this long, or less than SLOWEST_BYTES.
TIMEOUT_S = 60.0
SLOWEST_BYTES = 256 << 10
DOWNLOAD_CHUNK_BYTES = 1 << 20


class DownloadError(Exception):
    """A download failed; the message is the reason."""


def download(url: str, target: Path, md5: str) -> None:
    """Download a file, which gets its name once it is whole and verified.

    Args:
        url: HTTP or HTTPS.
        target: the file, in a folder that exists.
        md5: checksum of the file, in hexadecimal digits.

    Raises:
        DownloadError: if it cannot be downloaded, is too large or too slow, or is another file.
    """
    _remove_left_over(target)
    partial = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            if not isinstance(response, http.client.HTTPResponse):
                raise DownloadError(f"the server redirects to {response.url}")
            with partial.open("wb") as file:
                _receive(response, file, target.name)
        if (actual := md5_of(partial)) != md5:
            raise DownloadError(
                f"the server sent {_what_it_is(partial)}: its MD5 is {actual}, not {md5}"
            )
        partial.replace(target)
    except urllib.error.HTTPError as error:
        error.close()
        reason = " ".join(str(error.reason).partition("\n")[0].split())  # of several lines
        raise DownloadError(f"the server answered {error.code}, {reason}") from error
    except TimeoutError as error:
        raise DownloadError(f"the server sent nothing for {TIMEOUT_S:.0f} s") from error
    except http.client.IncompleteRead as error:
        raise DownloadError("the connection ended early") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        if write_error(error, target) is not None:
            raise
        raise DownloadError(str(getattr(error, "reason", error)) or repr(error)) from error
    finally:
        partial.unlink(missing_ok=True)


def md5_of(path: Path) -> str:
    """The MD5 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _receive(response: http.client.HTTPResponse, file: BinaryIO, name: str) -> None:
    announced = response.length or 0
    _refuse_large(announced)
    received = received_before = 0
    begun = window = time.monotonic()
    with progress_bar(f"Downloading {name}", announced) as advance:
        # `read` would wait for a whole chunk, however slowly it comes.
        while chunk := response.read1(DOWNLOAD_CHUNK_BYTES):
            file.write(chunk)
            received += len(chunk)
            advance(len(chunk))
            _refuse_large(received)
            now = time.monotonic()
            if now - begun > 3600 * MAX_HOURS:
                raise DownloadError(f"too slow: not complete after {MAX_HOURS:g} hours")
            if now - window > TIMEOUT_S:
                if received - received_before < SLOWEST_BYTES:
                    raise DownloadError(
                        f"too slow: {received - received_before:,} bytes in {now - window:.0f} s"
                    )
                window, received_before = now, received
    if announced > received:
        raise DownloadError(f"the connection ended after {received:,} of {announced:,} bytes")


def _refuse_large(size: int) -> None:
    if size > MAX_BYTES:
        raise DownloadError(f"it is larger than {MAX_BYTES >> 20:,} MiB, so it is another file")


def _what_it_is(file: Path) -> str:
    """What was sent instead of the archive."""
    with file.open("rb") as content:
        start = content.read(64)
    if not start:
        return "an empty file"
    is_page = start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")
    return "a web page" if is_page else "another file, or a damaged one"


def _remove_left_over(target: Path) -> None:
    """Remove what killed processes have left; two that run may download at once."""
    for left in target.parent.glob(f"{target.name}.*.part"):
        pid = left.name.split(".")[-2]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            left.unlink(missing_ok=True)
