"""Decoded images on the disk: what is kept, what is done again, and what a run can meet there."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from longtail import prefetch
from longtail.errors import DataError, DiskFullError
from longtail.sources.cache import image_cache as cache, journal, segments
from longtail.sources.decoding import isolated_decode
from longtail.sources.files import ImageFileRef
from longtail.sources.images import Images
from longtail.trials.fingerprint import sha256_of_arrays
from tests.sources.photographs import folder_of, photograph, read, save

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "photos", {"a": 5, "b": 5})


@pytest.fixture
def decoded(tmp_path: Path) -> Path:
    return tmp_path / "data" / "decoded"


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded, as it happens."""
    names: list[str] = []

    def noted(work: Any, photographs: Iterable[list[ImageFileRef]]) -> Iterator[Any]:
        for files, results in prefetch.on_all_cores(work, photographs):
            names.extend(file.name for file in files)
            yield files, results

    monkeypatch.setattr(cache, "on_all_cores", noted)
    return names


def the_file(decoded: Path, pattern: str = "segment-*.npy") -> Path:
    [file] = decoded.glob(f"*/{pattern}")
    return file


def same(first: Images, second: Images) -> bool:
    tables = (first.index, second.index), (first.rejected, second.rejected)
    return (
        np.array_equal(first.pixels, second.pixels)
        and first.sha256 == second.sha256 == sha256_of_arrays(second.pixels)
        and all(a.to_dict("list") == b.to_dict("list") for a, b in tables)
    )


def test_unchanged_folder_is_neither_decoded_nor_written_again(
    root: Path, decoded: Path, decodings: list[str]
) -> None:
    (root / "a" / "broken.jpg").write_bytes(b"broken")
    first = read(root, decoded)
    assert len(decodings) == 11
    status = the_file(decoded).stat()
    again = read(root, decoded)
    assert len(decodings) == 11
    assert same(first, again)
    assert the_file(decoded).stat() == status


def test_only_what_is_new_or_has_changed_is_decoded(
    root: Path, decoded: Path, decodings: list[str], tmp_path: Path
) -> None:
    before = read(root, decoded)
    pixels = before.pixels.copy()
    decodings.clear()
    save(root, "a/0000.png", photograph(100))  # comes first
    save(root, "b/002.png", photograph(101, (25, 25)))
    (root / "a" / "001.png").unlink()
    after = read(root, decoded)
    assert decodings == ["a/0000.png", "b/002.png"]
    assert same(after, read(root, tmp_path / "other"))
    assert after.index["file"].tolist()[:3] == ["a/000.png", "a/0000.png", "a/002.png"]
    assert np.array_equal(before.pixels, pixels)  # what a version may be a link to is as it was


def test_what_was_left_out_is_decoded_again_when_it_comes_back(
    root: Path, decoded: Path, decodings: list[str]
) -> None:
    whole = read(root, decoded)
    save(root, "b/copy.png", photograph(0))  # of a/000.png: both are left out
    assert len(read(root, decoded).index) == 9
    decodings.clear()
    (root / "b" / "copy.png").unlink()
    assert same(read(root, decoded), whole)
    assert decodings == ["a/000.png"]


def test_settings_have_caches_of_their_own(root: Path, decoded: Path) -> None:
    assert read(root, decoded).pixels.shape == (10, 24, 24, 3)
    assert read(root, decoded, image_size=16).pixels.shape == (10, 16, 16, 3)
    assert len(list(decoded.iterdir())) == 2


# In processes that are forked from one, since importing takes a second.
KILLED = """
import os, signal, sys
from pathlib import Path
from longtail.sources.cache import segments
from longtail.sources.cache import image_cache as cache
from tests.sources.photographs import read
segments.SEGMENT_CHUNK_BYTES = cache.SEGMENT_CHUNK_BYTES = 1  # each image is flushed
def dying(original, before, last):
    calls = 0
    def call(*args, **kwargs):
        nonlocal calls
        calls += 1
        if before and calls > last:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if not before and calls > last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call
root = Path(sys.argv[1])
for decoded in map(Path, sys.argv[2:]):
    where, last = decoded.name.split(",")
    if process := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
        continue
    kind = segments.SegmentFile if where.startswith("write") else cache.Journal
    name = "write" if where.startswith("write") else "record"
    setattr(kind, name, dying(getattr(kind, name), where.endswith("before"), int(last)))
    read(root, decoded)
    os._exit(0)
"""
WHERE, LAST = ("write before", "write after", "record after"), (0, 4)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs, beside what runs had decoded of them that were killed at all these points."""
    folder = tmp_path_factory.mktemp("killed")
    root = folder_of(folder / "photos", {"a": 5, "b": 5})
    decoded = [str(folder / f"{where},{last}") for where in WHERE for last in LAST]
    environment = os.environ | {"PYTHONPATH": f"{PROJECT / 'src'}:{PROJECT}"}
    command = [sys.executable, "-uc", KILLED, str(root), *decoded]
    ended = subprocess.run(command, env=environment, check=False, capture_output=True)
    killed = [int(code) == -signal.SIGKILL for code in ended.stdout.split()]
    assert killed == [True] * len(decoded), ended.stderr
    return folder


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("last", LAST)
def test_a_killed_run_resumes_where_it_stopped(
    where: str, last: int, killed: Path, decodings: list[str], tmp_path: Path
) -> None:
    images = read(killed / "photos", killed / f"{where},{last}")
    kept = last + 1 if where == "record after" else last
    assert len(decodings) == 10 - kept
    assert same(images, read(killed / "photos", tmp_path / "other"))


@pytest.mark.parametrize("failing", ["write", "record"])
def test_full_disk_is_one_message_and_loses_nothing(
    failing: str,
    root: Path,
    decoded: Path,
    decodings: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(cache, "SEGMENT_CHUNK_BYTES", 1)
    kind: Any = segments.SegmentFile if failing == "write" else journal.Journal
    original, calls = getattr(kind, failing), []

    def full(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(kind, failing, full)
        with pytest.raises(DiskFullError, match=r"the disk is full: .*moths-.* is saved"):
            read(root, decoded)
    decodings.clear()
    assert same(read(root, decoded), read(root, tmp_path / "other"))
    assert len(decodings) == 7 + 10


def test_disk_that_is_too_small_is_refused_before_anything_is_decoded(
    root: Path, decoded: Path, decodings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(DiskFullError, match=r"\d+ kB are needed\)\. .*--params=data="):
        read(root, decoded)
    assert decodings == []


def test_folder_that_must_not_be_made_is_one_message(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be used for decoded images: .*Not a directory"):
        read(root, tmp_path / "file" / "decoded")


@pytest.mark.parametrize("damage", ["gone", "shorter", "changed", "journal"])
def test_damaged_cache_is_reported_and_made_again(
    damage: str,
    root: Path,
    decoded: Path,
    decodings: list[str],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    read(root, decoded)
    decodings.clear()
    file = the_file(decoded)
    if damage == "gone":
        file.unlink()
    elif damage == "shorter":
        os.truncate(file, 1000)
    elif damage == "changed":
        content = bytearray(file.read_bytes())
        content[500] ^= 1
        file.write_bytes(content)
    else:
        the_file(decoded, "journal.sqlite").write_bytes(b"no database" * 1000)
    images = read(root, decoded)
    assert len(decodings) == 10
    assert "decoded again" in caplog.text
    assert same(images, read(root, tmp_path / "other"))


def flip(file: Path, place: int) -> None:
    """Flip a bit as a failing disk does: neither size nor time of the file change."""
    status = file.stat()
    with file.open("r+b") as content:
        content.seek(place)
        [byte] = content.read(1)
        content.seek(place)
        content.write(bytes([byte ^ 1]))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_pixels_that_a_disk_has_changed_are_decoded_again(
    root: Path, decoded: Path, decodings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    first = read(root, decoded)
    kept = np.array(first.pixels)
    decodings.clear()
    file = the_file(decoded)
    flip(file, file.stat().st_size - 1)  # of the last image
    flip(file, file.stat().st_size - 2 * kept[0].size - 1)
    again = read(root, decoded)
    assert sorted(decodings) == ["b/002.png", "b/004.png"]
    assert np.array_equal(again.pixels, kept)
    assert again.sha256 == first.sha256
    assert caplog.text.count(f"{file} is damaged: 2 images are decoded again") == 1
    read(root, decoded)
    assert len(decodings) == 2


@pytest.mark.parametrize("place", [2, 8, 30, 70, 120])
def test_a_header_that_a_disk_has_changed_is_made_again(
    place: int,
    root: Path,
    decoded: Path,
    decodings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = read(root, decoded)
    decodings.clear()
    flip(file := the_file(decoded), place)
    assert same(whole, read(root, decoded))
    assert f"{file} is missing or has been changed: its images are decoded again" in caplog.text
    assert len(decodings) == 10


@pytest.mark.parametrize("content", [b"", b"x", b"\xff", None])
def test_a_damaged_counter_never_gives_a_number_twice(
    content: bytes | None, root: Path, decoded: Path
) -> None:
    read(root, decoded)
    before = the_file(decoded).name
    counter = the_file(decoded, "counter")
    if content is None:
        counter.unlink()
    else:
        counter.write_bytes(content)
    save(root, "a/new.png", photograph(99))
    again = read(root, decoded)
    assert the_file(decoded).name > before
    assert same(again, read(root, decoded.with_name("other")))


def test_pixels_of_a_run_that_was_killed_are_looked_at_too(
    root: Path, decoded: Path, decodings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(segments.SegmentFile, "seal", _killed)
        with pytest.raises(KeyboardInterrupt):
            read(root, decoded)
    flip(file := the_file(decoded), file.stat().st_size - 1)
    decodings.clear()
    again = read(root, decoded)
    assert decodings == ["b/004.png"]
    assert same(again, read(root, decoded.with_name("other")))


def _killed(*_: Any) -> None:
    raise KeyboardInterrupt


def rewritten(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.executescript(statement)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE files SET row = 9 - row", "a row does not match its checksum"),
        ("UPDATE segments SET rows = rows - 1", "a row does not match its checksum"),
        (
            "UPDATE files SET stamp = CAST(x'ff' || stamp AS TEXT)",
            "a row does not match its checksum",
        ),
        ("DROP TABLE files; CREATE TABLE files (identity BLOB)", "table files has other columns"),
    ],
)
def test_journal_that_is_not_what_was_noted_is_reported_and_begun_anew(
    damage: str,
    said: str,
    root: Path,
    decoded: Path,
    decodings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = read(root, decoded)
    decodings.clear()
    rewritten(the_file(decoded, "journal.sqlite"), damage)
    assert same(read(root, decoded), first) and len(decodings) == 10
    assert caplog.text.count("decoded again") == caplog.text.count(said) == 1


@pytest.mark.parametrize("place", range(60, 8192, 251))
def test_no_flipped_bit_of_the_journal_changes_an_image(
    place: int, root: Path, decoded: Path
) -> None:
    first = read(root, decoded)
    journal = the_file(decoded, "journal.sqlite")
    content = bytearray(journal.read_bytes())
    content[place] ^= 1 << place % 8
    journal.write_bytes(content)
    assert same(read(root, decoded), first)


def test_what_could_not_be_read_is_tried_again(
    root: Path, decoded: Path, decodings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refusing(path: Any, *args: Any, **kwargs: Any) -> int:
        if str(path).endswith("a/001.png"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refusing)
        images = read(root, decoded)
    assert images.rejected.to_dict("split")["data"] == [
        ["a/001.png", "a", "cannot be read: Permission denied"]
    ]
    decodings.clear()
    assert len(read(root, decoded).index) == 10
    assert decodings == ["a/001.png"]


def test_another_run_waits_and_finds_everything_decoded(
    root: Path, decoded: Path, decodings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    first = read(root, decoded)
    decodings.clear()
    made: list[Images] = []
    with FileLock(the_file(decoded, "lock")):
        other = threading.Thread(target=lambda: made.append(read(root, decoded)))
        other.start()
        other.join(1.5)
        assert other.is_alive() and made == []
    other.join(20)
    assert same(made[0], first) and decodings == []
    assert "Another run reads the same images: waiting for it" in caplog.text


def test_journal_is_a_plain_database(root: Path, decoded: Path) -> None:
    read(root, decoded)
    with sqlite3.connect(the_file(decoded, "journal.sqlite")) as database:
        [[files]] = database.execute("SELECT COUNT(*) FROM files WHERE row IS NOT NULL")
    assert files == 10


MEASURED = """
import resource, sys
from pathlib import Path
from tests.sources.photographs import read
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
images = read(Path(sys.argv[1]), Path(sys.argv[2]), image_size=512)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(images.pixels.nbytes >> 20, peak >> 10)
"""


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    """An array of 525 MB is made in much less memory, in its first run and when it is joined."""
    root = tmp_path / "photos"
    for number in range(700):
        save(root, f"{'ab'[number % 2]}/{number:04d}.jpg", photograph(number, (64, 64)))
    environment = os.environ | {"PYTHONPATH": f"{PROJECT / 'src'}:{PROJECT}"}
    command = [sys.executable, "-c", MEASURED, str(root), str(tmp_path / "decoded")]
    for changed in ("nothing", "one more"):
        if changed == "one more":
            save(root, "a/0000a.jpg", photograph(1000, (64, 64)))
        out = subprocess.run(command, env=environment, check=True, capture_output=True).stdout
        array, peak = map(int, out.split()[-2:])
        assert array >= 525 and peak < 250, changed


# Python imports it first of all, in the process of a run and in the one that decodes apart.
CRASHING = """
from longtail.sources.decoding import decode
original = decode._decode
def crashing(content, image_size, limits):
    if getattr(content, "name", None) is not None and content.raw.tell() == 0:
        import os
        if os.fstat(content.fileno()).st_size == {size}:
            {crash}
    return original(content, image_size, limits)
decode._decode = crashing
"""
READING = """
import sys
from pathlib import Path
from tests.sources.photographs import read
read(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize(
    ("crash", "how"),
    [("os.abort()", "by signal SIGABRT"), ("os._exit(3)", "with exit code 3")],
)
def test_a_file_that_crashes_its_reader_costs_one_run_and_then_itself(
    crash: str,
    how: str,
    root: Path,
    decoded: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    hostile = root / "b" / "002.png"
    (tmp_path / "first").mkdir()
    (tmp_path / "first/sitecustomize.py").write_text(
        CRASHING.format(size=hostile.stat().st_size, crash=crash)
    )
    assert [f.name for f in root.rglob("*.png") if f.stat().st_size == hostile.stat().st_size] == [
        "002.png"
    ]
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'first'}:{PROJECT / 'src'}:{PROJECT}")
    command = [sys.executable, "-c", READING, str(root), str(decoded)]
    assert subprocess.run(command, check=False, capture_output=True).returncode != 0
    reason = f"crashed the process that decoded it, twice (the last time {how})"
    for _ in range(2):  # in this process, which would not crash
        images = read(root, decoded)
        assert len(images.index) == 9
        assert images.rejected.to_dict("records") == [
            {"file": "b/002.png", "class_name": "b", "reason": reason}
        ]
    assert "RuntimeWarning" not in capfd.readouterr().err


def test_files_are_marked_while_they_are_decoded(tmp_path: Path) -> None:
    files = [ImageFileRef((name,), tmp_path, None) for name in "abc"]
    note = tmp_path / "in-hand"
    with closing(isolated_decode.DecodingMarkers(note)) as first:
        with first.marked(files[0]):
            pass
        with (
            first.marked(files[1]),
            closing(isolated_decode.DecodingMarkers(note)) as second,
        ):  # next run
            assert [second.crashed_before(file) for file in files] == [False, True, False]
            with second.marked(files[2]), closing(isolated_decode.DecodingMarkers(note)) as third:
                assert [third.crashed_before(file) for file in files] == [False, True, True]
    assert not first.crashed_before(files[1])
