"""Folders of classes as people have them: splits, a folder around everything, unsorted images."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from longtail.errors import DataError
from longtail.sources.files import ImageFileRef
from longtail.sources.images import Images
from longtail.sources.labels.class_folders import entries_by_folder
from longtail.sources.labels.split_folders import split_of
from longtail.sources.listing import Listing
from tests.sources.photographs import folder_of, photograph, png, read, save, source, zip_of

KEY = "datasets.moths.source"


@pytest.fixture
def decoded(tmp_path: Path) -> Path:
    return tmp_path / "decoded"


def of_splits(root: Path, *names: str, first: int = 0) -> Path:
    return folder_of(root, {f"{name}/{c}": 3 for name in names for c in "ab"}, first)


def by_split(images: Images) -> dict[str, list[str]]:
    """The classes of the images of each split."""
    return {
        str(split): sorted(set(of["class_name"])) for split, of in images.index.groupby("split")
    }


@pytest.mark.parametrize(
    "names",
    [
        ("train", "valid", "test"),
        ("Training", "VAL", "Testing"),
        ("train_set", "dev_set", "test_set"),
        ("seg_train/seg_train", "seg_dev/seg_dev", "seg_test/seg_test"),
        ("data/train", "data/val", "data/test"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_folders_of_splits_are_official_splits(
    names: tuple[str, ...],
    zipped: bool,
    tmp_path: Path,
    decoded: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    root = of_splits(tmp_path / "photos", *names)
    if zipped:
        root = Path(shutil.make_archive(str(root), "zip", root))
    images = read(root, decoded)
    assert by_split(images) == {"train": ["a", "b"], "validation": ["a", "b"], "test": ["a", "b"]}
    first = images.index.iloc[0]
    assert first["file"].split("/")[-2:] == ["a", "000.png"]  # the path stays whole
    assert "read as official splits (split_folders: official): train 6 images" in caplog.text
    assert "class_levels" not in caplog.text
    assert images.rejected.empty


def test_parts_of_a_data_set_in_several_zips_are_splits(tmp_path: Path, decoded: Path) -> None:
    for number, name in enumerate(("train", "test")):
        root = of_splits(tmp_path / name, f"cifar/{name}", first=10 * number)
        shutil.make_archive(str(tmp_path / f"part-{name}"), "zip", root)
    images = read(tmp_path / "part-*.zip", decoded)
    assert by_split(images) == {"train": ["a", "b"], "test": ["a", "b"]}


@pytest.mark.parametrize(
    ("names", "missing"), [(("train", "val"), "test"), (("train", "test"), "validation")]
)
def test_a_missing_split_is_announced(
    names: tuple[str, ...],
    missing: str,
    tmp_path: Path,
    decoded: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    read(of_splits(tmp_path / "photos", *names), decoded)
    assert f"; imbalance.holdout says which are {missing} images" in caplog.text


def test_splits_below_the_classes_are_read_too(tmp_path: Path, decoded: Path) -> None:
    root = folder_of(tmp_path / "p", {f"{c}/{s}": 2 for c in "ab" for s in ("train", "test")})
    assert by_split(read(root, decoded)) == {"train": ["a", "b"], "test": ["a", "b"]}


def test_splits_of_genera_and_species(tmp_path: Path, decoded: Path) -> None:
    root = folder_of(
        tmp_path / "p",
        {f"{s}/Noctua/{c}": 2 for s in ("train", "test") for c in ("comes", "pronuba")},
    )
    images = read(root, decoded, class_levels=2)
    assert by_split(images) == {
        split: ["Noctua comes", "Noctua pronuba"] for split in ("train", "test")
    }
    flat = of_splits(tmp_path / "flat", "train", "test")
    with pytest.raises(DataError, match=r"is in a class folder of 2 levels"):
        read(flat, decoded, class_levels=2)


UNCLEAR: dict[str, tuple[dict[str, int], str]] = {
    "another folder": (
        {"train/a": 2, "train/b": 2, "test/a": 2, "test/b": 2, "extra/a": 2},
        "'test' and 'train' look like official splits, but beside them are 'extra'",
    ),
    "many other folders": (
        {"train/a": 2, "test/a": 2, **{f"extra{number}/a": 2 for number in range(5)}},
        "but beside them are 'extra0', 'extra1', 'extra2', and 2 more. Say",
    ),
    "one split twice": (
        {"train/a": 2, "train/b": 2, "val/a": 2, "valid/b": 2},
        "but 'val' and 'valid' are the same split",
    ),
    "other classes": (
        {"train/a": 2, "train/b": 2, "test/c": 2, "test/d": 2},
        "but the classes of test images are none of those of training images",
    ),
    "classes beside a split": (
        {"a": 2, "b": 2, "test/a": 2, "test/b": 2},
        "'test' looks like an official split, but it has a folder 'a', as has the folder above it",
    ),
    "no class folders": (
        {"train": 2, "test": 2},
        "but their images are in no class folders: for splits, metadata must name the classes",
    ),
    "an unusual name": (
        {"train/a": 2, "train/b": 2, "holdout/a": 2, "holdout/b": 2},
        "'train' looks like an official split, but it has a folder 'a', as has 'holdout'",
    ),
    "no training images": (
        {"val/a": 2, "val/b": 2, "test/a": 2, "test/b": 2},
        "but there is none of training images",
    ),
    "some classes": (
        {"a/train": 2, "a/test": 2, "b": 2},
        "but some classes have images beside them",
    ),
}


@pytest.mark.parametrize("case", UNCLEAR)
def test_unclear_splits_are_a_question_with_its_answers(
    case: str, tmp_path: Path, decoded: Path
) -> None:
    sizes, doubt = UNCLEAR[case]
    root = folder_of(tmp_path / "photos", sizes)
    with pytest.raises(DataError) as error:
        read(root, decoded)
    message = str(error.value)
    assert message.startswith(f"{KEY}.path: ") and doubt in message
    for answer in ("official", "redraw", "classes"):
        assert f"--params={KEY}.split_folders={answer} " in message
    assert not decoded.exists()
    assert read(root, decoded, split_folders="classes").index["split"].eq("").all()


def test_the_answers_to_the_question(tmp_path: Path, decoded: Path) -> None:
    root = folder_of(tmp_path / "photos", UNCLEAR["another folder"][0])
    official = read(root, decoded, split_folders="official")
    assert by_split(official) == {"train": ["a", "b"], "test": ["a", "b"]}
    assert official.rejected["file"].tolist() == ["extra/a/000.png", "extra/a/001.png"]
    redrawn = read(root, decoded, split_folders="redraw")
    assert by_split(redrawn) == {"": ["a", "b"]}
    assert len(redrawn.index) == 8
    classes = read(root, decoded, split_folders="classes")
    assert by_split(classes) == {"": ["extra", "test", "train"]}
    beside = folder_of(tmp_path / "beside", UNCLEAR["classes beside a split"][0])
    assert by_split(read(beside, decoded, split_folders="official")) == {
        "train": ["a", "b"],
        "test": ["a", "b"],
    }


@pytest.mark.parametrize("names", [("bus", "train", "tram"), ("test", "rest x")])
def test_one_folder_that_is_called_as_a_split_is_a_class(
    names: tuple[str, ...], tmp_path: Path, decoded: Path
) -> None:
    root = folder_of(tmp_path / "photos", dict.fromkeys(names, 2))
    assert by_split(read(root, decoded)) == {"": sorted(names)}


def test_split_names_are_whole_words() -> None:
    names = ("trainval", "Testudo", "valida", "contest", "test-2", "train test", "")
    assert [split_of(name) for name in names] == [None] * 4 + ["test", None, None]


def tiny_imagenet(root: Path, annotations: str | None) -> Path:
    number = 0
    for name in ("n01/images", "n02/images"):
        for image in range(4):
            save(root, f"tiny/train/{name}/{name[:3]}_{image}.jpeg", photograph(number))
            number += 1
        (root / f"tiny/train/{name[:3]}/{name[:3]}_boxes.txt").write_text(f"{name}_0\t0\t0\t1\t1\n")
    for image in range(4):
        save(root, f"tiny/val/images/val_{image}.jpeg", photograph(number + image))
        save(root, f"tiny/test/images/test_{image}.jpeg", photograph(number + 50 + image))
    if annotations is not None:
        (root / "tiny/val/val_annotations.txt").write_text(annotations)
    (root / "tiny/words.txt").write_text("n01\tgoldfish, Carassius\nn02\tsalamander\nn03\tfrog\n")
    return root


@pytest.mark.parametrize("zipped", [False, True])
def test_tiny_imagenet_is_read_with_its_annotations_and_names(
    zipped: bool, tmp_path: Path, decoded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    labels = "".join(f"val_{i}.jpeg\tn0{1 + i % 2}\t0\t0\t9\t9\n" for i in range(4))
    root = tiny_imagenet(tmp_path / "photos", labels)
    words = root / "tiny/words.txt"
    path = Path(shutil.make_archive(str(root), "zip", root)) if zipped else root
    images = read(path, decoded, class_names=str(words))
    names = ["goldfish, Carassius", "salamander"]
    assert by_split(images) == {"train": names, "validation": names}
    validation = images.index[images.index["split"] == "validation"]
    assert validation["class_name"].tolist() == names * 2
    assert images.rejected["reason"].tolist() == ["is not in a class folder"] * 4
    assert (
        "names the classes of 4 images: files from column 1, classes from column 2" in caplog.text
    )
    assert "the test images, such as 'tiny/test/images/test_0.jpeg', are in no class" in caplog.text
    assert "; imbalance.holdout says which are test images" in caplog.text


def test_validation_images_without_annotations_are_left_out(tmp_path: Path, decoded: Path) -> None:
    images = read(tiny_imagenet(tmp_path / "photos", None), decoded)
    assert by_split(images) == {"train": ["n01", "n02"]}
    assert len(images.rejected) == 8


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,Abax\nb,Bembidion\n", ["Abax", "Bembidion"]),
        ("folder;name\nb;Bembidion\na;Abax\nc;Carabus\n", ["Abax", "Bembidion"]),
        ("name\tid\nAbax\ta\nBembidion\tb\n", ["Abax", "Bembidion"]),
        ("id,species,order\na,Abax,C\nb,Bembidion,C\n", ["Abax", "Bembidion"]),
        ("a,Abax\nb,Abax\n", ["Abax (a)", "Abax (b)"]),
    ],
)
def test_class_names_come_from_a_table(
    text: str, names: list[str], tmp_path: Path, decoded: Path
) -> None:
    root = folder_of(tmp_path / "photos", {"a": 2, "b": 2})
    (tmp_path / "names.txt").write_text(text)
    images = read(root, decoded, class_names=str(tmp_path / "names.txt"))
    assert images.index["class_name"].unique().tolist() == names


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,Abax\n", "has no name for 1 of 2 classes, such as 'b'"),
        ("a,Abax\nb,\n", "has no name for 'b'"),
        ("a,Abax\nb,B\na,Other\n", "has no name for 'a', or several"),
        ("a,1,Abax\nb,2,B\n", "has 3 columns, and none but that of the class folders is called"),
        ("", "is empty"),
    ],
)
def test_class_names_that_cannot_be_used_are_refused(
    text: str, reason: str, tmp_path: Path, decoded: Path
) -> None:
    root = folder_of(tmp_path / "photos", {"a": 2, "b": 2})
    (tmp_path / "names.csv").write_text(text)
    with pytest.raises(DataError, match=reason) as error:
        read(root, decoded, class_names=str(tmp_path / "names.csv"))
    assert str(error.value).startswith(f"{KEY}.class_names: '")


@pytest.mark.parametrize("top", ["moths", "a/b/c"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_that_holds_everything_is_no_class(
    top: str, zipped: bool, tmp_path: Path, decoded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sizes = {f"{top}/Noctua/comes": 2, f"{top}/Noctua/pronuba": 2, f"{top}/Abax/ater": 2}
    root = folder_of(tmp_path / "photos", sizes)
    save(root, "overview.png", photograph(99))
    (root / "__MACOSX").mkdir()
    save(root, "__MACOSX/moths/Noctua/._000.png", photograph(98))
    path = Path(shutil.make_archive(str(root), "zip", root)) if zipped else root
    genera = read(path, decoded)
    assert genera.index["class_name"].unique().tolist() == ["Abax", "Noctua"]
    assert genera.rejected["file"].tolist() == ["overview.png"]
    assert f"'{top}' holds everything: it is no class" in caplog.text
    species = read(path, decoded, class_levels=2).index["class_name"].unique().tolist()
    assert species == ["Abax ater", "Noctua comes", "Noctua pronuba"]


def test_the_only_genus_stays_a_genus(tmp_path: Path, decoded: Path) -> None:
    root = folder_of(tmp_path / "photos", {"Noctua/comes": 2, "Noctua/pronuba": 2})
    found = read(root, decoded, class_levels=2).index["class_name"].unique().tolist()
    assert found == ["Noctua comes", "Noctua pronuba"]
    assert read(root, decoded).index["class_name"].unique().tolist() == ["comes", "pronuba"]


@pytest.mark.parametrize("folder", ["unknown", "_Unsorted", "OTHER", "blank 2"])
def test_unsorted_images_are_a_question_with_its_answers(
    folder: str, tmp_path: Path, decoded: Path
) -> None:
    root = folder_of(tmp_path / "photos", {"a": 3, "b": 3, folder: 2})
    with pytest.raises(DataError) as error:
        read(root, decoded)
    assert f"nobody knows what the images show: '{folder}' (2 images)" in str(error.value)
    for answer in (f"moths.unknown.classes=[{folder}]", "source.unsorted=skip", "unsorted=class"):
        assert answer in str(error.value)
    assert not decoded.exists()
    skipped = read(root, decoded, unsorted="skip")
    assert skipped.index["class_name"].unique().tolist() == ["a", "b"]
    assert len(skipped.rejected) == 2
    assert folder in set(read(root, decoded, unsorted="class").index["class_name"])
    unknown: Any = {"unknown": (folder,)}
    assert folder in set(read(root, decoded, **unknown).index["class_name"])


def test_a_class_needs_an_image_in_each_official_split(tmp_path: Path, decoded: Path) -> None:
    sizes = {"train/a": 3, "train/b": 3, "train/c": 3, "test/a": 1, "test/b": 1, "test/d": 1}
    root = folder_of(tmp_path / "photos", sizes)
    images = read(root, decoded, smallest=3, fewest_groups=3)
    assert by_split(images) == {"train": ["a", "b"], "test": ["a", "b"]}
    reasons = images.rejected.groupby("class_name")["reason"].first()
    assert reasons["c"] == "its species has no usable test image in the official split"
    assert "1 usable image, 3 are needed" in reasons["d"]
    few = folder_of(tmp_path / "few", sizes | {"train/c": 1, "test/c": 4})
    images = read(few, decoded, smallest=3, fewest_groups=3)
    reasons = images.rejected.groupby("class_name")["reason"].first()
    assert reasons["c"] == "its species has 1 different training image, 2 are needed"


def test_images_of_a_split_that_is_used_later_are_not_trained_on(
    tmp_path: Path, decoded: Path
) -> None:
    root = of_splits(tmp_path / "photos", "train", "val", "test")
    for copy, number in (("train/a/copy", 6), ("val/a/copy", 12), ("train/b/copy", 12)):
        save(root, f"{copy}.png", photograph(number))  # 6: val/a/000, 12: test/a/000
    images = read(root, decoded)
    rejected = dict(zip(images.rejected["file"], images.rejected["reason"], strict=True))
    assert rejected["train/a/copy.png"] == "shows the same as the validation image 'val/a/000.png'"
    assert rejected["val/a/copy.png"].startswith("is the same picture as 'train/b/copy.png'")


FOLDERS = st.sampled_from(["train", "val", "valid", "test", "a", "b", "images", "top"])
PATHS = st.lists(st.lists(FOLDERS, max_size=4).map(tuple), min_size=1, max_size=12)


@settings(max_examples=400)
@given(
    paths=PATHS,
    roots=st.lists(st.sampled_from(["x", "y"]), min_size=12, max_size=12),
    levels=st.integers(1, 2),
    answer=st.sampled_from([None, "official", "redraw", "classes"]),
)
def test_every_file_of_any_tree_has_a_class_or_a_reason(
    paths: list[tuple[str, ...]], roots: list[str], levels: int, answer: Any
) -> None:
    files = [
        ImageFileRef((*parts, f"{number}.png"), Path("/", root), None)
        for number, (parts, root) in enumerate(zip(paths, roots, strict=False))
    ]
    listing = Listing(sorted(files, key=lambda file: file.parts))
    given = source(Path("/x"), class_levels=levels, split_folders=answer)
    try:
        entries, rejected = entries_by_folder(listing, given, KEY)
    except DataError as error:
        assert str(error).startswith(f"{KEY}.path: ")
        assert answer is None or "--params" not in str(error) or "training images" in str(error)
        return
    names = [entry.file.name for entry in entries] + [name for name, _, _ in rejected]
    assert sorted(names) == sorted(file.name for file in files)
    assert all(entry.species for entry in entries)
    assert {entry.split for entry in entries} <= {"", "train", "validation", "test"}
    if answer in ("redraw", "classes"):
        assert not any(entry.split for entry in entries)


def test_rejected_file_has_the_class_of_its_own_folder_whatever_the_root(
    tmp_path: Path, decoded: Path
) -> None:
    for number, (name, moth) in enumerate((("first", "a"), ("second", "b"))):
        folder_of(tmp_path / "photos" / name / f"top_{name}", {moth: 2, f"{moth}2": 2}, 10 * number)
    (tmp_path / "photos/second/top_second/b/notes.psd").write_bytes(b"8BPS")
    images = read(tmp_path / "photos/*", decoded)
    [row] = images.rejected.to_dict("records")
    assert (row["file"], row["class_name"]) == ("top_second/b/notes.psd", "b")


def test_a_split_beside_classes_is_asked_about_if_it_has_folders(
    tmp_path: Path, decoded: Path
) -> None:
    root = folder_of(tmp_path / "photos", {"a": 2, "b": 2, "train/c": 2, "train/d": 2})
    with pytest.raises(DataError, match=r"'train' looks like .*, those of 'a' are not"):
        read(root, decoded)
    classes = read(root, decoded, split_folders="classes").index["class_name"]
    assert sorted(set(classes)) == ["a", "b", "train"]


def test_a_class_that_is_called_as_a_split_is_reported(
    tmp_path: Path, decoded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = folder_of(tmp_path / "photos", {"bus": 2, "car": 2, "train": 2})
    assert sorted(set(read(root, decoded).index["class_name"])) == ["bus", "car", "train"]
    [message] = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert message.startswith("datasets.moths.source.path: the folder 'train' is read as a class")
    caplog.clear()
    read(root, decoded, split_folders="classes")
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_genera_that_share_epithets_are_asked_about(
    tmp_path: Path, decoded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"{genus}/{of}" for genus in ("Apis", "Bombus", "Vespa") for of in ("alba", "nigra")]
    read(folder_of(tmp_path / "photos", dict.fromkeys(names, 1)), decoded)
    assert "set datasets.moths.source.class_levels=2" in caplog.text


def test_backslashes_of_a_zip_from_windows_are_folders(tmp_path: Path, decoded: Path) -> None:
    files = [f"photos/{name}.png" for name in ("a/1", "a/2", "b/1", "b/2")]
    members = {
        name.replace("/", "\\"): png((40 * number, 9, 7)) for number, name in enumerate(files)
    }
    index = read(zip_of(tmp_path / "all.zip", members), decoded).index
    assert index["file"].tolist() == files
    assert index["class_name"].tolist() == ["a", "a", "b", "b"]


def test_files_that_were_unpacked_with_backslashes_are_explained(
    tmp_path: Path, decoded: Path
) -> None:
    save(tmp_path, "photos/a\\1.png", photograph(1))
    with pytest.raises(DataError, match=r"'a\\1\.png', have backslashes .*7-Zip .* or give"):
        read(tmp_path / "photos", decoded)
