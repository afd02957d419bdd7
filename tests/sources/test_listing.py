"""What is found in folders and zip files, and what is refused there before it is opened."""

from __future__ import annotations

import os
import shutil
import socket
import zipfile
from pathlib import Path

import pytest

from longtail.errors import DataError
from longtail.sources.listing import describe_ignored, list_images
from tests.sources.photographs import pixels_of, png, zip_of


def names(path: Path | str) -> list[str]:
    return [file.name for file in list_images(str(path), "key").files]


@pytest.mark.parametrize("prefix", ["", "./"])
def test_zip_members_are_found_and_read(prefix: str, tmp_path: Path) -> None:
    path = zip_of(
        tmp_path / "all.zip",
        {f"{prefix}b/2.png": png(), f"{prefix}a/1.PNG": png(), f"{prefix}a/._1.png": b"", "x": b""},
    )
    files = list_images(str(path), "key").files
    assert [file.name for file in files] == ["a/1.PNG", "b/2.png"]
    assert pixels_of(files[0], None)[0, 0].tolist() == [9, 8, 7]


def test_several_zips_are_joined_by_a_star(tmp_path: Path) -> None:
    zip_of(tmp_path / "part-2.zip", {"b/1.png": png()})
    zip_of(tmp_path / "part-1.zip", {"c/1.png": png()})
    assert names(tmp_path / "part-*.zip") == ["b/1.png", "c/1.png"]


def test_folder_whose_name_holds_brackets_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "photos [2020]*"
    folder.mkdir()
    (folder / "1.jpeg").write_bytes(b"")
    assert names(folder) == ["1.jpeg"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with one image file."""
    folder = tmp_path / "root"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "1.png").write_bytes(b"")
    return folder


def test_links_are_refused_wherever_they_lead(root: Path) -> None:
    other = root.with_name("other")
    other.mkdir()
    (other / "2.png").write_bytes(b"")
    (root / "b").symlink_to(other, target_is_directory=True)
    (root / "a" / "loop").symlink_to(root, target_is_directory=True)
    (root / "a" / "out.png").symlink_to(other / "2.png")
    (root / "a" / "in.png").symlink_to(root / "a" / "1.png")
    (root / "a" / "gone.png").symlink_to(root / "nothing")
    found = list_images(str(root), "key")
    assert [file.name for file in found.files] == ["a/1.png"]
    reason = "is a symbolic link: links are not followed"
    assert found.rejected == [
        (name, reason) for name in ("a/gone.png", "a/in.png", "a/loop", "a/out.png", "b")
    ]


def test_links_that_lead_to_themselves_do_not_end_the_listing(root: Path) -> None:
    (root / "self").symlink_to(root / "self")
    (root / "a" / "self.png").symlink_to(root / "a" / "self.png")
    (root / "a" / "there").symlink_to(root / "a" / "back")
    (root / "a" / "back").symlink_to(root / "a" / "there")
    found = list_images(str(root), "key")
    assert [file.name for file in found.files] == ["a/1.png"]
    assert found.rejected == [("a/self.png", "is a symbolic link: links are not followed")]
    assert found.ignored == ["a/back", "a/there", "self"]


def test_a_path_that_is_such_a_link_is_named(root: Path) -> None:
    (root / "self").symlink_to(root / "self")
    with pytest.raises(DataError, match=r"key: .*'.*self'"):
        list_images(str(root / "self"), "key")


def test_what_is_no_regular_file_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "a" / "pipe.jpg")
    monkeypatch.chdir(root / "a")  # the address of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        found = list_images(str(root), "key")
    assert found.rejected == [
        (f"a/{name}.jpg", "is not a regular file") for name in ("pipe", "socket")
    ]


def test_pictures_of_other_kinds_are_refused_and_other_files_counted(root: Path) -> None:
    for name in ("raw.CR2", "phone.jxl", "notes.txt", "a.xmp", "Thumbs.db", "._1.png", ".x.jpg"):
        (root / "a" / name).write_bytes(b"")
    (root / ".trash").mkdir()
    found = list_images(str(root), "key")
    assert [file.name for file in found.files] == ["a/1.png"]
    assert found.rejected == [
        ("a/phone.jxl", ".jxl files are not supported: convert it to JPEG or PNG"),
        ("a/raw.CR2", ".cr2 files are not supported: convert it to JPEG or PNG"),
    ]
    assert found.ignored == [
        *("a/._1.png", "a/.x.jpg", "a/Thumbs.db", "a/a.xmp", "a/notes.txt"),
    ]
    assert describe_ignored(found.ignored, found.system_files) == (
        "5 files are not images by the name, or hidden: a/._1.png, a/.x.jpg, a/Thumbs.db, and 2 "
        "more"
    )


SYSTEM = ("@eaDir/1.png", "#recycle", "$RECYCLE.BIN/S-1-5", ".thumbnails", ".AppleDouble")


@pytest.mark.parametrize("zipped", [False, True])
def test_thumbnails_and_deleted_files_are_skipped_and_counted(zipped: bool, root: Path) -> None:
    for number, name in enumerate(SYSTEM):
        for folder in (root, root / "a"):
            (folder / name).mkdir(parents=True)
            for copy in range(number + 1):
                (folder / name / f"{copy}.png").write_bytes(b"x")
    path = root
    if zipped:
        path = Path(shutil.make_archive(str(root.with_name("all")), "zip", root))
    found = list_images(str(path), "key")
    assert [file.name for file in found.files] == ["a/1.png"]
    assert (found.rejected, found.ignored, found.empty) == ([], [], [])
    assert found.system_files == {
        **{"@eaDir": 2, "#recycle": 4, "$RECYCLE.BIN": 6, ".thumbnails": 8, ".AppleDouble": 10}
    }
    assert describe_ignored(found.ignored, found.system_files) == (
        "30 files in hidden folders and folders of thumbnails or deleted files are skipped: "
        "#recycle (4), $RECYCLE.BIN (6), .AppleDouble (10), and 2 more"
    )


def test_names_that_no_table_can_hold_are_refused(root: Path) -> None:
    for name in (b"latin-\xe4.png", b"two\nlines.png", b"bell\x07.png"):
        Path(os.fsdecode(os.fsencode(root / "a") + b"/" + name)).write_bytes(b"")
    (root / "a" / "Käfer, \"gro\u00df\" 'x' \u86fe.png").write_bytes(b"")
    found = list_images(str(root), "key")
    assert dict(found.rejected) == {
        "a/bell\\x07.png": "its name has a line break or another character that cannot be "
        "shown: rename it",
        "a/latin-\\udce4.png": "its name is not valid UTF-8: rename it",
        "a/two\\nlines.png": "its name has a line break or another character that cannot be "
        "shown: rename it",
    }
    assert [file.name for file in found.files] == ["a/1.png", "a/Käfer, \"groß\" 'x' 蛾.png"]


def test_long_and_deep_names_are_found(root: Path) -> None:
    folder = root / "a"
    for _ in range(12):
        folder = folder / ("d" * 100)
    folder.mkdir(parents=True)
    (folder / ("n" * 251 + ".png")).write_bytes(b"")
    assert len(names(root)[-1]) == 2 + 12 * 101 + 255


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folders_that_must_not_be_read_are_listed(root: Path) -> None:
    (root / "b").mkdir(mode=0)
    assert list_images(str(root), "key").rejected == [("b", "cannot be read: Permission denied")]


def test_folders_without_images_are_reported(root: Path) -> None:
    (root / "empty" / "deep").mkdir(parents=True)
    (root / "texts").mkdir()
    (root / "texts" / "x.txt").write_text("x")
    (root / "two\nlines").mkdir()
    for refused in ("phone", "of\nphone"):  # they are listed as rejected, with the reason
        (root / refused).mkdir()
        (root / refused / "x.jxl").write_bytes(b"")
    found = list_images(str(root), "key")
    assert found.empty == ["empty", "texts", "two\\nlines"]
    assert [name for name, _ in found.rejected] == ["of\\nphone/x.jxl", "phone/x.jxl"]


def test_the_project_s_own_data_are_no_class(root: Path) -> None:
    own = root / "project" / "data" / "decoded"
    own.mkdir(parents=True)
    (own / "figure.png").write_bytes(b"")
    found = list_images(str(root), "key", own=own)
    assert [file.name for file in found.files] == ["a/1.png"]
    assert found.skipped == [root / "project"]


def test_zip_members_that_lead_out_are_refused(tmp_path: Path) -> None:
    path = zip_of(
        tmp_path / "slip.zip",
        {"a/1.png": png(), "../out/2.png": png(), "/etc/3.png": png(), "__MACOSX/a/4.png": b""},
    )
    found = list_images(str(path), "key")
    assert [file.name for file in found.files] == ["a/1.png"]
    assert sorted(found.rejected) == [
        (name, "its path is outside the zip file") for name in ("../out/2.png", "//etc/3.png")
    ]


def test_damaged_zip_is_one_message(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "all.zip", {"a/1.png": png()})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02")] = 0
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"^key: '.*all\.zip' is a zip file that cannot be read: "):
        list_images(str(path), "key")


def test_nothing_at_the_path_names_the_parameter(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"datasets\.m\.source\.path: nothing is at '.*missing'"):
        list_images(str(tmp_path / "missing"), "datasets.m.source.path")


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(DataError, match="neither a folder nor a zip file"):
        list_images(str(tmp_path / "notes.txt"), "key")


def test_folder_of_zips_says_how_to_name_them(tmp_path: Path) -> None:
    zip_of(tmp_path / "a.zip", {"a/1.png": png()})
    with pytest.raises(DataError, match=r"name them, as in '.*/\*\.zip'.*Known endings: \.avif"):
        list_images(str(tmp_path), "key")


def test_archives_inside_are_rejected_and_named(tmp_path: Path) -> None:
    inner = zip_of(tmp_path / "inner.zip", {"a/1.png": png()}).read_bytes()
    path = zip_of(tmp_path / "outer.zip", {"more/inner.zip": inner, "a/2.png": png()})
    listing = list_images(str(path), "key")
    assert [file.name for file in listing.files] == ["a/2.png"]
    assert listing.rejected == [
        ("more/inner.zip", "is an archive, whose images are not read: unpack it")
    ]
    nested = zip_of(tmp_path / "nested.zip", {"inner.zip": inner})
    with pytest.raises(DataError, match=r"such as inner\.zip: is an archive, .*: unpack it"):
        list_images(str(nested), "key")


@pytest.mark.parametrize("name", ["photos.rar", "photos.7Z", "photos.tar.gz"])
def test_other_archives_are_called_by_their_kind(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"Rar!")
    kind = Path(name).suffix.lower()
    with pytest.raises(DataError, match=rf"is a {kind} archive, which cannot be read: unpack it"):
        list_images(str(tmp_path / name), "key")


def test_files_without_an_ending_are_explained(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/IMG_1").write_bytes(png())
    with pytest.raises(DataError, match=r"1 file has no ending, such as 'a/IMG_1': add that of"):
        list_images(str(tmp_path), "key")


def test_backslashes_are_folders_where_windows_has_made_the_zip(tmp_path: Path) -> None:
    """Beside slashes too; on other systems a name may have a backslash."""
    for system, found in ((0, ["a/1.png", "a/2.png"]), (3, ["a/2.png", "a\\1.png"])):
        path = tmp_path / f"{system}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("a\\1.png", "a/2.png"):
                member = zipfile.ZipInfo(name)
                member.create_system = system
                archive.writestr(member, png())
        assert names(path) == found
