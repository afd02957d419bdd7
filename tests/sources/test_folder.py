from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from longtail.errors import DataError
from longtail.parameters import FolderSource
from longtail.sources.folder import read_folder
from longtail.sources.images import INDEX_COLUMNS, Images, index_of
from longtail.sources.read import check, read

HERE = Path()


def source(path: Path | None, size: int = 8) -> FolderSource:
    return FolderSource(kind="folder", path=None if path is None else str(path), image_size=size)


def write(root: Path, name: str, grey: int = 0, size: tuple[int, int] = (8, 8)) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, grey).save(file)


@pytest.fixture
def species(tmp_path: Path) -> Path:
    root = tmp_path / "species"
    write(root, "Käfer/ein Käfer.png", 30)
    write(root, "Käfer/2020/mai/b.png", 20)
    write(root, "abax ater/x y.png", 10, size=(31, 17))
    write(root, "Zygaena/a.png", 40)
    return root


def test_index_lists_classes_by_name_and_files_in_order(species: Path) -> None:
    images = read_folder(source(species), "moths")
    assert images.index.columns.tolist() == INDEX_COLUMNS
    expected = index_of(
        ["Käfer/2020/mai/b.png", "Käfer/ein Käfer.png", "Zygaena/a.png", "abax ater/x y.png"],
        [0, 0, 1, 2],
        ["Käfer", "Zygaena", "abax ater"],
        [""] * 4,
    )
    assert images.index.to_dict("list") == expected.to_dict("list")
    assert images.pixels[:, 4, 4, 0].tolist() == [20, 30, 40, 10]
    assert images.pixels.shape == (4, 8, 8, 3)
    assert images.rejected.empty


def test_zip_of_the_same_files_gives_the_same(species: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "species"), "zip", species))
    from_folder, from_zip = (read_folder(source(path), "moths") for path in (species, archive))
    assert from_zip.index.to_dict("list") == from_folder.index.to_dict("list")
    assert np.array_equal(from_zip.pixels, from_folder.pixels)


def test_broken_files_are_rejected_with_the_reason(species: Path) -> None:
    whole = read_folder(source(species), "moths")
    (species / "Käfer" / "0.jpg").write_bytes(b"broken")
    (species / "Zygaena" / "z.png").write_bytes(b"")
    images = read_folder(source(species), "moths")
    assert images.rejected["file"].tolist() == ["Käfer/0.jpg", "Zygaena/z.png"]
    assert images.rejected["reason"].str.contains("cannot be read").all()
    assert images.index.to_dict("list") == whole.index.to_dict("list")
    assert np.array_equal(images.pixels, whole.pixels)


def test_class_without_a_usable_image_is_refused(species: Path) -> None:
    (species / "Broken").mkdir()
    (species / "Broken" / "only.jpg").write_bytes(b"broken")
    with pytest.raises(
        DataError, match=r"no usable .* 1 class.*'Broken'.*Broken/only\.jpg: cannot"
    ):
        read_folder(source(species), "moths")


def test_loose_files_are_refused(species: Path) -> None:
    write(species, "loose.png")
    with pytest.raises(DataError, match=r"must hold a folder a class, but 'loose\.png' \(1 such\)"):
        read_folder(source(species), "moths")


def test_one_class_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "only/a.png")
    with pytest.raises(DataError, match="holds one class only, 'only'"):
        read_folder(source(tmp_path), "moths")


def test_path_that_is_not_set_says_how_to_set_it() -> None:
    for attempt in (
        lambda: check(source(None), "moths"),
        lambda: read(source(None), "moths", HERE),
    ):
        with pytest.raises(
            DataError, match=r"not set.*\n.*--params=datasets\.moths\.source\.path="
        ):
            attempt()


def test_missing_path_names_the_parameter_and_the_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"datasets\.moths\.source\.path: nothing is at .*gone"):
        check(source(tmp_path / "gone"), "moths")


def test_any_source_is_read_by_its_kind(species: Path, tmp_path: Path) -> None:
    images: Images = read(source(species), "moths", tmp_path)
    assert images.index["class_name"].unique().tolist() == ["Käfer", "Zygaena", "abax ater"]


def test_real_moths_are_all_usable(shared_data: Any) -> None:
    path = shared_data / "eu-moths-256.zip"
    if not path.is_file():
        pytest.skip(f"no {path.name} among the real archives")
    from longtail.sources.files import decode, find_image_files

    files = find_image_files(str(path), "path")
    sizes = {file.parts[0]: 0 for file in files}
    for file in files:
        sizes[file.parts[0]] += 1
    assert (len(files), len(sizes)) == (2205, 200)
    assert (min(sizes.values()), max(sizes.values())) == (11, 14)
    with_umlauts = [file for file in files if not file.name.isascii()]
    assert with_umlauts
    for file in (files[0], with_umlauts[0]):
        assert decode(file, 64).std() > 5
