"""A table of files and species instead of folders of species."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies

from longtail.errors import DataError
from longtail.sources.files import ImageFileRef
from longtail.sources.listing import Listing
from longtail.sources.metadata import Entry, read_metadata
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
    ],
    ids=["commas", "semicolons and mark", "tabs", "accents", "backslashes", "other columns"],
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
    assert "1 image file is not named in" in caplog.text


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
        ("file,species\n1.png, \n", "line 2: species is empty"),
        ("file,species\n1.png,a\n4.png,b\n1.png,b\n", "lines 2 and 4: '1.png' is named twice"),
        (
            "file,species,split\n1.png,a,dev\n",
            "line 2: split is 'dev', must be train, test or empty",
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


def test_other_encodings_are_refused(root: Path, decoded: Path, tmp_path: Path) -> None:
    for encoding in ("latin-1", "utf-16"):
        with pytest.raises(DataError, match=r"is not in UTF-8 \(byte \d+\)\. Save it as"):
            read(root, decoded, metadata=table(tmp_path, PLAIN, encoding))


@settings(max_examples=200, deadline=None)
@given(text=strategies.text(alphabet='file,species;"\n\r\t1.png/\\:ä\0 ', max_size=80))
def test_any_text_is_read_or_refused(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    listing = Listing([ImageFileRef(("1.png",), folder, None)])
    try:
        entries, _ = read_metadata(table(folder, f"file,species\n{text}"), listing, KEY)
    except DataError as error:
        assert str(error).startswith(f"{KEY}: '")
    else:
        assert entries == [Entry(listing.files[0], entries[0].species, "", "")]
