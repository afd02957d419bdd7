"""CIFAR-100 from a small archive that is built like the official one."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import socket
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from longtail.errors import DataError
from longtail.parameters import Cifar100Source
from longtail.schemas.data import INDEX
from longtail.sources.cifar100 import read_cifar100
from longtail.sources.listing import list_images
from tests.sources.photographs import pixels_of
from tests.sources.server import sending, serving

CLASSES = ["apple", "boy", "cup"]
SIZES = {"train": 7, "test": 5}
ARCHIVE = "cifar-100-python.tar.gz"
Pixels = dict[str, Any]


def fake_cifar100() -> tuple[dict[str, Any], Pixels]:
    """The archive's pickled dictionaries, in a mixed order, and each file's pixels."""
    numbers = np.random.default_rng(0)
    parts: dict[str, Any] = {"meta": {b"fine_label_names": [name.encode() for name in CLASSES]}}
    pixels: Pixels = {}
    for split, size in SIZES.items():
        labels = [int(label) for label in numbers.permutation(np.arange(size) % len(CLASSES))]
        data = numbers.integers(0, 256, (size, 3072), dtype=np.uint8)
        stems = [f"{CLASSES[label]}_s_{number:06d}" for number, label in enumerate(labels)][::-1]
        labels = labels[::-1]
        parts[split] = {
            b"filenames": [f"{stem}.png".encode() for stem in stems],
            b"fine_labels": labels,
            b"coarse_labels": [0] * size,
            b"data": data,
            b"batch_label": b"training batch 1 of 1",
        }
        for label, stem, row in zip(labels, stems, data, strict=True):
            name = f"{split}/{CLASSES[label]}/{stem}"
            pixels[name] = row.reshape(3, 32, 32).transpose(1, 2, 0)
    return parts, pixels


def write_archive(path: Path, parts: dict[str, Any]) -> str:
    """Write the archive and give its MD5."""
    with tarfile.open(path, "w:gz") as archive:
        for name, part in parts.items():
            content = part if isinstance(part, bytes) else pickle.dumps(part, protocol=2)
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return hashlib.md5(path.read_bytes()).hexdigest()


def source(
    path: Path | str | None, md5: str = "0" * 32, url: str = "https://example.invalid/archive"
) -> Cifar100Source:
    text = None if path is None else str(path)
    return Cifar100Source(kind="cifar100", path=text, url=url, md5=md5)


@pytest.fixture
def decoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("decoded")


@pytest.fixture
def archive(tmp_path: Path) -> tuple[Path, str]:
    """A whole archive and its MD5."""
    path = tmp_path / "original" / ARCHIVE
    path.parent.mkdir()
    return path, write_archive(path, fake_cifar100()[0])


def test_archive_is_read_sorted_by_split_class_and_file(
    archive: tuple[Path, str], decoded: Path
) -> None:
    _, pixels = fake_cifar100()
    images = read_cifar100(source(*archive), "c", Path(), decoded)
    names = sorted(pixels, key=lambda name: (not name.startswith("train"), name))
    index = images.index
    assert index.columns.tolist() == list(INDEX.columns)[:6]
    assert index["file"].tolist() == names
    assert index["image"].tolist() == list(range(12))
    assert index["split"].tolist() == ["train"] * 7 + ["test"] * 5
    assert index["class_name"].tolist() == [name.split("/")[1] for name in names]
    assert [CLASSES[label] for label in index["label"]] == index["class_name"].tolist()
    assert images.pixels.dtype == np.uint8
    assert all(np.array_equal(images.pixels[i], pixels[name]) for i, name in enumerate(names))
    assert images.rejected.empty


@pytest.mark.parametrize("kind", ["folder", "zips"])
def test_folder_or_zips_of_the_same_images_give_the_same(
    kind: str, archive: tuple[Path, str], tmp_path: Path, decoded: Path
) -> None:
    root = tmp_path / "tree"
    for name, pixels in fake_cifar100()[1].items():
        file = root / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    path = root
    if kind == "zips":
        path = tmp_path / "part-*.zip"
        for split in SIZES:
            with zipfile.ZipFile(tmp_path / f"part-{split}.zip", "w") as zipped:
                for file in (root / split).rglob("*.png"):
                    zipped.write(file, file.relative_to(root))
    ours, official = (
        read_cifar100(s, "c", Path(), decoded) for s in (source(path), source(*archive))
    )
    assert ours.index.to_dict("list") == official.index.to_dict("list")
    assert np.array_equal(ours.pixels, official.pixels)


def test_wrong_md5_is_refused_with_both_sums(archive: tuple[Path, str], decoded: Path) -> None:
    path, md5 = archive
    with pytest.raises(DataError, match=rf"has the MD5 {md5}, but datasets\.c\.source\.md5 is 0+:"):
        read_cifar100(source(path), "c", Path(), decoded)


def test_truncated_archive_is_refused(archive: tuple[Path, str], decoded: Path) -> None:
    path, md5 = archive
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match="incomplete or another file"):
        read_cifar100(source(path, md5), "c", Path(), decoded)


def test_archive_without_a_part_is_refused(tmp_path: Path, decoded: Path) -> None:
    parts = fake_cifar100()[0]
    del parts["meta"]
    md5 = write_archive(tmp_path / ARCHIVE, parts)
    with pytest.raises(DataError, match="holds no file 'meta'"):
        read_cifar100(source(tmp_path / ARCHIVE, md5), "c", Path(), decoded)


def test_pickle_that_would_run_code_is_refused(tmp_path: Path, decoded: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "evil"),)

    parts = fake_cifar100()[0] | {"train": pickle.dumps({b"data": Evil()}, protocol=2)}
    md5 = write_archive(tmp_path / ARCHIVE, parts)
    with pytest.raises(DataError, match=r"asks for \w+\.mkdir: refused"):
        read_cifar100(source(tmp_path / ARCHIVE, md5), "c", Path(), decoded)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("name", "found"),
    [("train/apple/a.png", "no 'test'"), ("apple/a.png", "'apple/a.png' is not of that form")],
)
def test_tree_of_another_form_is_refused(
    name: str, found: str, tmp_path: Path, decoded: Path
) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match=rf"datasets\.c\.source\.path: .*must hold .*{found}"):
        read_cifar100(source(tmp_path), "c", Path(), decoded)


def test_download_is_kept_and_used_again(
    archive: tuple[Path, str], tmp_path: Path, decoded: Path
) -> None:
    path, md5 = archive
    downloads = tmp_path / "data" / "downloads"
    with serving(sending(path.read_bytes())) as (url, asked):
        first = read_cifar100(source(None, md5, url), "c", downloads, decoded)
        again = read_cifar100(source(None, md5, url), "c", downloads, decoded)
    assert asked == [f"/{ARCHIVE}"]
    assert [file.name for file in downloads.iterdir()] == [ARCHIVE]
    assert len(first.index) == 12
    assert np.array_equal(first.pixels, again.pixels)


def test_truncated_download_leaves_nothing(
    archive: tuple[Path, str], tmp_path: Path, decoded: Path
) -> None:
    body = archive[0].read_bytes()
    cut_short = serving(sending(body[:-100], announced=len(body)))
    with cut_short as (url, _), pytest.raises(DataError, match=r"MD5|could not be downloaded"):
        read_cifar100(source(None, archive[1], url), "c", tmp_path / "downloads", decoded)
    assert list((tmp_path / "downloads").iterdir()) == []


def test_another_file_than_the_official_one_is_not_kept(tmp_path: Path, decoded: Path) -> None:
    page = serving(sending(b"<html>please log in</html>"))
    with page as (url, _), pytest.raises(DataError, match="MD5"):
        read_cifar100(source(None, url=url), "c", tmp_path, decoded)
    assert list(tmp_path.iterdir()) == []


def test_missing_page_says_what_else_can_be_done(tmp_path: Path, decoded: Path) -> None:
    missing = serving(lambda request: request.send_error(404))
    reason = r"(?s)Not Found.*--params=datasets\.c\.source\.path="
    with missing as (url, _), pytest.raises(DataError, match=reason):
        read_cifar100(source(None, url=url), "c", tmp_path, decoded)
    assert list(tmp_path.iterdir()) == []


def test_refused_connection_says_what_else_can_be_done(tmp_path: Path, decoded: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/{ARCHIVE}"
        with pytest.raises(DataError, match=r"(?s)refused.*Connect to the network"):
            read_cifar100(source(None, url=url), "c", tmp_path, decoded)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda parts: parts.update(train=b"no pickle"), "invalid|unpickl|pickle"),
        (lambda parts: parts.update(train=pickle.dumps([1, 2])), "list"),
        (lambda parts: parts["train"].pop(b"data"), "it lacks 'data'"),
        (lambda parts: parts["train"][b"fine_labels"].pop(), "as many images as labels"),
        (lambda parts: parts["test"][b"fine_labels"].__setitem__(0, 3), "labels that are not"),
        (lambda parts: parts["test"][b"fine_labels"].__setitem__(0, -1), "labels that are not"),
        (lambda parts: parts["test"].update({b"data": np.zeros((5, 9))}), "reshape"),
        (lambda parts: parts["test"].update({b"data": np.zeros((5, 3072))}), "as many images"),
        (lambda parts: parts["meta"].update({b"fine_label_names": 5}), "int"),
    ],
)
def test_broken_content_with_the_right_checksum_is_one_sentence(
    change: Any, reason: str, tmp_path: Path, decoded: Path
) -> None:
    parts = fake_cifar100()[0]
    change(parts)
    md5 = write_archive(tmp_path / ARCHIVE, parts)
    with pytest.raises(DataError, match=rf"cannot be read as CIFAR-100's .*{reason}") as error:
        read_cifar100(source(tmp_path / ARCHIVE, md5), "c", Path(), decoded)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x8b\x08\x00truncated", b"<html></html>", b"\0" * 512]
)
def test_download_of_no_archive_with_the_right_checksum_is_one_sentence(
    content: bytes, tmp_path: Path, decoded: Path
) -> None:
    md5 = hashlib.md5(content).hexdigest()
    wrong = r"cannot be read as CIFAR-100's official archive: .+"
    with serving(sending(content)) as (url, _), pytest.raises(DataError, match=wrong):
        read_cifar100(source(None, md5, url), "c", tmp_path, decoded)


def test_damaged_archive_among_the_downloads_is_refused(tmp_path: Path, decoded: Path) -> None:
    (tmp_path / ARCHIVE).write_bytes(b"damaged")
    with pytest.raises(DataError, match=rf"{ARCHIVE}' has the MD5 .*Delete it"):
        read_cifar100(source(None, url=f"http://127.0.0.1:9/{ARCHIVE}"), "c", tmp_path, decoded)


def test_real_images_are_32_pixels_in_colour(shared_data: Path) -> None:
    files = list_images(str(shared_data / "cifar100-test.zip"), "path").files
    shown = np.stack([pixels_of(file, 32) for file in files[::500]])
    assert shown.shape == (20, 32, 32, 3)
    assert (shown.std(axis=(1, 2)) > 5).all()
    assert not np.array_equal(shown[..., 0], shown[..., 2])
