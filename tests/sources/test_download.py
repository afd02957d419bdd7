"""Downloads from a server that does what servers should not."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from longtail.sources import download as module
from longtail.sources.download import DownloadError, download
from tests.sources.server import sending, serving

Answer = Callable[[BaseHTTPRequestHandler], None]
CONTENT = b"archive" * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()


def without_end(pause_s: float, piece: bytes) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        with suppress(OSError):  # the client has had enough
            while True:
                request.wfile.write(piece)
                time.sleep(pause_s)

    return answer


def redirecting(to: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", to)
        request.end_headers()

    return answer


def silent(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "5")
    request.end_headers()
    request.wfile.flush()
    time.sleep(1)


def chunked_and_cut_short(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.write(b"ff\r\nhalf")


def test_whole_file_gets_its_name(tmp_path: Path) -> None:
    with serving(sending(CONTENT)) as (url, _):
        download(url, tmp_path / "a.tar.gz", MD5)
    assert (tmp_path / "a.tar.gz").read_bytes() == CONTENT
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (without_end(0, b"x" * 100_000), "larger than 1 MiB"),
        (sending(b"", announced=3 << 30), "larger than 1 MiB"),
        (without_end(0.02, b"x"), r"too slow: \d+ bytes in \d+ s"),
        (silent, "the server sent nothing for"),
        (sending(CONTENT[:9], announced=7000), "the connection ended after 9 of 7,000 bytes"),
        (chunked_and_cut_short, "the connection ended"),
        (sending(b""), "an empty file: its MD5 is"),
        (sending(b" \n<!DOCTYPE html>"), "a web page: its MD5 is"),
        (sending(CONTENT[:-1]), f"another file, or a damaged one: its MD5 is .*, not {MD5}"),
        (redirecting("/again"), "answered 302, .*infinite loop"),
        (redirecting("file:///etc/passwd"), "answered 302"),
        (redirecting("ftp://127.0.0.1:9/a"), "refused|ftp"),
        (redirecting("nonsense://a/b"), "answered 302"),
        (lambda request: request.send_error(404), "answered 404, Not Found"),
        (lambda request: request.send_error(503), "answered 503, Service Unavailable"),
        (lambda request: request.wfile.write(b"no HTTP"), "no HTTP"),
        (lambda _: None, "closed connection without response"),
    ],
)
def test_failed_download_says_why_and_leaves_nothing(
    answer: Answer, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr(module, "TIMEOUT_S", 0.3)
    with serving(answer) as (url, _), pytest.raises(DownloadError, match=reason) as error:
        download(url, tmp_path / "a.tar.gz", MD5)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_download_ends_after_the_longest_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_HOURS", 0.1 / 3600)
    endless = serving(without_end(0.01, b"x" * 1000))
    with endless as (url, _), pytest.raises(DownloadError, match="too slow: not complete after"):
        download(url, tmp_path / "a.tar.gz", MD5)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_download_left_is_removed_but_not_that_of_a_running_one(
    tmp_path: Path,
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        check=True,
        text=True,
    )
    killed = tmp_path / f"a.tar.gz.{ended.stdout.strip()}.part"
    running = tmp_path / f"a.tar.gz.{os.getppid()}.part"
    for partial in (killed, running):
        partial.write_bytes(b"half")
    with serving(sending(CONTENT)) as (url, _):
        download(url, tmp_path / "a.tar.gz", MD5)
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "a.tar.gz", running])
