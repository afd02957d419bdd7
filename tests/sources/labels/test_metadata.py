"""A table of files and species instead of folders of species."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies

from longtail.errors import DataError
from longtail.sources.files import ImageFileRef
from longtail.sources.labels.metadata import Entry, read_metadata
from longtail.sources.listing import Listing
from tests.sources.photographs import groups, photograph, read, save

FILES = ("1.png", "deep/2.png", "deep/Kä 3.png", "4.png")
KEY = "datasets.moths.source.metadata"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number, name in enumerate(FILES):
        save(tmp_path / "photos", name, photograph(number))
    return tmp_path / "photos"


@pytest.fixture
def decoded(tmp_path: Path) -> Path:
    return tmp_path / "decoded"


def table(tmp_path: Path, text: str, encoding: str = "utf-8") -> str:
    file = tmp_path / "moths.csv"
    file.write_bytes(text.encode(encoding))
    return str(file)


PLAIN = "file,species\n1.png,b\ndeep/2.png,b\ndeep/Kä 3.png,a\n4.png,a\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (PLAIN, "utf-8"),
        (PLAIN.replace(",", ";"), "utf-8-sig"),
        (PLAIN.replace(",", "\t").replace("\n", "\r\n"), "utf-8"),
        (PLAIN.replace("Kä", "Ka\u0308"), "utf-8"),
        (PLAIN.replace("deep/", ".\\deep\\"), "utf-8"),
        (
            'note,"File", SPECIES \n\n"x, y",1.png,b\n,"deep/2.png",b\n'
            ",deep/Kä 3.png,a\n,x/../4.png,a",
            "utf-8",
        ),
        ("sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n"), "utf-8"),
        (PLAIN.replace(",", "|"), "utf-8"),
        (PLAIN.replace("deep/", "D:\\Gro\u00dfer Ort\\photos\\deep\\"), "utf-8"),
        (PLAIN.replace(",", ";"), "cp1252"),
        (PLAIN.replace(",", "\t"), "utf-16"),
        (PLAIN, "utf-16-le"),
        (PLAIN.replace("4.png", "4.PNG").replace("deep/", "DEEP\\"), "utf-8"),
        (PLAIN.replace("1.png", "C:\\Users\\me\\Photos\\1.png"), "utf-8"),
        (
            PLAIN.replace("deep/", "moved/deep/").replace("1.png", "x/1.png").replace("4", "x/4"),
            "utf-8",
        ),
        *(
            (
                PLAIN.replace("deep/", top).replace("1.png", f"{top}1.png").replace("4", f"{top}4"),
                "utf-8",
            )
            for top in ("D:\\Elsewhere\\", "/home/ann/Elsewhere/")
        ),
        (PLAIN.replace("file", "filePath").replace("species", "scientificName"), "utf-8"),
        (
            "species,Class Name,image,extra,\nb,beetle,1.png,x,\nb,beetle,deep/2.png,x,\n"
            "a,moth,deep/Kä 3.png,x,\na,moth,4.png,x,\n",
            "utf-8",
        ),
        (
            "note, or so;file;species\n"
            + "".join(f"x, y;{line}\n" for line in PLAIN[13:].replace(",", ";").splitlines()),
            "utf-8",
        ),
    ],
    ids=[
        *("commas", "semicolons and mark", "tabs", "accents", "backslashes", "other columns"),
        *(
            "stated separator",
            "bars",
            "sharp s",
            "cp1252",
            "utf-16",
            "utf-16 without mark",
            "other case",
        ),
        *(
            "path on another machine",
            "other folders",
            "other drive",
            "other home",
            "headers of Darwin Core",
            "headers",
        ),
        "comma in a header",
    ],
)
def test_table_names_files_and_species(
    text: str, encoding: str, root: Path, decoded: Path, tmp_path: Path
) -> None:
    images = read(root, decoded, metadata=table(tmp_path, text, encoding))
    assert images.index["file"].tolist() == ["1.png", "4.png", "deep/2.png", "deep/Kä 3.png"]
    assert images.index["class_name"].tolist() == ["b", "a", "b", "a"]
    assert images.index["label"].tolist() == [1, 0, 1, 0]
    assert images.rejected.empty


def test_groups_of_the_table_hold_across_species(root: Path, decoded: Path, tmp_path: Path) -> None:
    text = "file,species,group\n1.png,a,night 1\n4.png,b,night 1\ndeep/2.png,a,\ndeep/Kä 3.png,b,\n"
    images = read(root, decoded, metadata=table(tmp_path, text))
    assert groups(images) == [["1.png", "4.png"]]


def test_splits_of_the_table_keep_the_test_images_and_drop_what_shows_the_same(
    root: Path, decoded: Path, tmp_path: Path
) -> None:
    save(root, "copy.png", photograph(0))
    text = (
        "file,species,split\n1.png,a,test\ncopy.png,a,train\ndeep/2.png,a,train\n"
        "deep/Kä 3.png,b,train\n4.png,b,test\n"
    )
    images = read(root, decoded, metadata=table(tmp_path, text))
    assert images.index["split"].tolist() == ["test", "test", "train", "train"]
    assert images.rejected.to_dict("split")["data"] == [
        ["copy.png", "a", "shows the same as the test image '1.png'"]
    ]


def test_files_that_are_not_there_or_elsewhere_are_rejected(
    root: Path, decoded: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    save(tmp_path, "secret.png", photograph(7))
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    elsewhere = ["../secret.png", str(tmp_path / "secret.png"), "C:\\secret.png", "x/../../s.png"]
    rows = "".join(f"{name},a\n" for name in [*elsewhere, "gone.png", "link.png"])
    text = PLAIN.replace("4.png,a\n", "") + rows
    images = read(root, decoded, metadata=table(tmp_path, text))
    assert len(images.index) == 3
    reasons = images.rejected.set_index("file")["reason"].to_dict()
    assert reasons == dict.fromkeys(elsewhere, "its path is outside the folder") | {
        "gone.png": "is named in the metadata, but is missing or not an image file",
        "link.png": "is a symbolic link: links are not followed",
    }
    assert set(images.rejected["class_name"]) == {"a"}
    assert "1 image file has no species in" in caplog.text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("file,species\n", "has no row below its header"),
        (
            "name,species\n1.png,a\n",
            "has no column file; its columns are name, species. It needs file, species, and",
        ),
        ("1.png,a\n", "has no column file and species"),
        ("file,species,species\n1.png,a,b\n", "has two columns 'species'"),
        ("file,species\n1.png\n", "line 2 has 1 values, but there are 2 columns"),
        ("file,species\n1.png,a,b\n", "line 2 has 3 values"),
        ("file,species\n,a\n", "line 2: file is empty"),
        ("file,species\n1.png, \n", "has no species in any row"),
        ("file,species\n1.png,a\n4.png,b\n1.png,b\n", "lines 2 and 4: '1.png' is named twice"),
        (
            "file,species,split\n1.png,a,other\n",
            "line 2: split is 'other', must be train, validation, test or empty",
        ),
        ('file,species\n"1.png,a\n', "line 2: unexpected end of data"),
        (
            'file,species\n1.png,"a\nb"\n',
            r"line 3: species is 'a\\nb', must be plain text without line",
        ),
        (
            "file,species\ngone.png,a\n",
            "names no file that can be used, such as gone.png: is named",
        ),
        ("file,species\n1.png,a\0\n", "it holds zero bytes"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(
    text: str, reason: str, root: Path, decoded: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=reason) as error:
        read(root, decoded, metadata=table(tmp_path, text))
    assert str(error.value).startswith(f"{KEY}: '{tmp_path}/moths.csv'")
    assert not decoded.exists()


def test_equal_lines_are_one(root: Path, decoded: Path, tmp_path: Path) -> None:
    images = read(root, decoded, metadata=table(tmp_path, PLAIN + "1.png,b\n"))
    assert len(images.index) == 4


def test_absolute_paths_below_the_folder_are_found(
    root: Path, decoded: Path, tmp_path: Path
) -> None:
    text = PLAIN.replace("1.png", f"{root}/1.png").replace("deep/2", f"{root}/deep/../deep/2")
    assert len(read(root, decoded, metadata=table(tmp_path, text)).index) == 4


def test_names_that_fit_two_files_are_no_file_s(root: Path, decoded: Path, tmp_path: Path) -> None:
    save(root, "DEEP/2.PNG", photograph(8))
    save(root, "other/2.png", photograph(9))
    text = PLAIN.replace("deep/2", "Deep/2")
    images = read(root, decoded, metadata=table(tmp_path, text))
    assert images.rejected["file"].tolist() == ["Deep/2.png"]
    only_names = "file,species\n2.png,a\n1.PNG,a\n4.png,b\n".replace("1.PNG", "x/1.png")
    images = read(root, decoded, metadata=table(tmp_path, only_names.replace("4.png", "x/4.png")))
    assert images.index["file"].tolist() == ["1.png", "4.png"]
    assert images.rejected["file"].tolist() == ["2.png"]


def test_what_is_taken_and_what_is_skipped_is_logged(
    root: Path, decoded: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    text = PLAIN.replace("file,species", "Image file,LABEL").replace("4.png,a", "4.png,")
    images = read(root, decoded, metadata=table(tmp_path, text, "cp1252"))
    assert len(images.index) == 3 and images.rejected.empty
    assert (
        "the column 'Image file' is taken as file and the column 'LABEL' is taken as species"
    ) in caplog.text
    assert "1 row without a species skipped" in caplog.text
    assert "is read as Windows-1252. Line 4 is then: deep/Kä 3.png,a" in caplog.text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04rest", "is not a text file: it is an Excel or OpenDocument workbook"),
        (b"file,species\n\x81.png,a\n", r"neither in UTF-8 nor .* \(byte 13\)\. Save it as"),
        (b"file,species\n\xe4\x02.png,a\n", r"neither in UTF-8 nor .* \(byte 13\)"),
        ("file,species\n".encode("utf-16") + b"x", r"neither in UTF-8 nor "),
    ],
)
def test_files_that_are_no_text_are_refused(
    content: bytes, reason: str, root: Path, decoded: Path, tmp_path: Path
) -> None:
    (tmp_path / "moths.csv").write_bytes(content)
    with pytest.raises(DataError, match=reason):
        read(root, decoded, metadata=str(tmp_path / "moths.csv"))


@settings(max_examples=200)
@given(text=strategies.text(alphabet='file,species;"\n\r\t1.png/\\:ä\0 ', max_size=80))
def test_any_text_is_read_or_refused(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    listing = Listing([ImageFileRef(("1.png",), folder, None)])
    try:
        entries, _ = read_metadata(table(folder, f"file,species\n{text}"), listing, KEY)
    except DataError as error:
        assert str(error).startswith(f"{KEY}: '")
    else:
        assert entries == [Entry(listing.files[0], entries[0].species)]


def test_files_that_are_named_without_their_ending_are_found(
    root: Path, decoded: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = "file,species\n1,b\n4.png,a\ndeep/2,b\n"
    images = read(root, decoded, metadata=table(tmp_path, text))
    assert images.index["file"].tolist() == ["1.png", "4.png", "deep/2.png"]
    assert "2 files are named in another case than on the disk, or without an ending" in caplog.text
    save(root, "1.jpg", photograph(9))  # now two files fit
    rejected = read(root, decoded, metadata=table(tmp_path, text)).rejected
    assert rejected["file"].tolist() == ["1"]
