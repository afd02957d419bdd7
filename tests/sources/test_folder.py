from __future__ import annotations

import hashlib
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from longtail.errors import DataError
from longtail.parameters import Dataset, Imbalance
from longtail.schemas.data import INDEX, REJECTED
from longtail.sources import read_source
from longtail.sources.confirmed_photographs import ConfirmedStore
from longtail.sources.images import index_of
from longtail.sources.read import check_source
from longtail.trials.fingerprint import sha256_of_arrays
from tests.sources.photographs import folder_of, groups, photograph, read, save, source


def grey(value: int, size: tuple[int, int] = (24, 24)) -> Image.Image:
    return Image.new("L", size, value)


@pytest.fixture
def species(tmp_path: Path) -> Path:
    root = tmp_path / "species"
    save(root, "Käfer/ein Käfer.png", grey(30))
    save(root, "Käfer/2020/mai/b.png", photograph(1))
    save(root, "abax ater/x y.png", grey(10, (31, 17)))
    save(root, "Zygaena/a.png", grey(40))
    return root


@pytest.fixture
def decoded(tmp_path: Path) -> Path:
    return tmp_path / "data" / "decoded"


def test_index_lists_classes_by_name_and_files_in_order(species: Path, decoded: Path) -> None:
    images = read(species, decoded)
    assert images.index.columns.tolist() == [*list(INDEX.columns)[:6], "sha256"]
    digests = [hashlib.sha256(pixels).hexdigest() for pixels in images.pixels]
    assert images.index["sha256"].tolist() == digests
    expected = index_of(
        ["Käfer/2020/mai/b.png", "Käfer/ein Käfer.png", "Zygaena/a.png", "abax ater/x y.png"],
        [0, 0, 1, 2],
        ["Käfer", "Zygaena", "abax ater"],
        [""] * 4,
    )
    assert images.index.drop(columns="sha256").to_dict("list") == expected.to_dict("list")
    assert images.index["group"].tolist() == [0, 1, 2, 3]
    assert images.pixels[1:, 12, 12, 0].tolist() == [30, 40, 10]
    assert np.array_equal(images.pixels[0], np.asarray(photograph(1)))
    assert images.pixels.shape == (4, 24, 24, 3)
    assert images.sha256 == sha256_of_arrays(images.pixels)
    assert images.rejected.empty and images.rejected.columns.tolist() == list(REJECTED.columns)


def test_zip_of_the_same_files_gives_the_same(species: Path, decoded: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "species"), "zip", species))
    from_folder, from_zip = (read(path, decoded) for path in (species, archive))
    assert from_zip.index.to_dict("list") == from_folder.index.to_dict("list")
    assert np.array_equal(from_zip.pixels, from_folder.pixels)


def test_broken_files_are_rejected_with_species_and_reason(species: Path, decoded: Path) -> None:
    whole = read(species, decoded)
    (species / "Käfer" / "0.jpg").write_bytes(b"broken")
    (species / "Zygaena" / "z.png").write_bytes(b"")
    (species / "Zygaena" / "link.png").symlink_to(species / "Zygaena" / "a.png")
    save(species, "loose.png", photograph(9))
    images = read(species, decoded)
    assert images.rejected.to_dict("split")["data"] == [
        ["Käfer/0.jpg", "Käfer", "cannot be read: not an image, whatever its name says"],
        ["Zygaena/link.png", "Zygaena", "is a symbolic link: links are not followed"],
        ["Zygaena/z.png", "Zygaena", "cannot be read: the file is empty"],
        ["loose.png", "", "is not in a class folder"],
    ]
    assert images.index.to_dict("list") == whole.index.to_dict("list")
    assert np.array_equal(images.pixels, whole.pixels)


def test_class_without_a_usable_image_is_left_out_and_reported(
    species: Path, decoded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (species / "Broken").mkdir()
    (species / "Broken" / "only.jpg").write_bytes(b"broken")
    images = read(species, decoded)
    assert images.index["class_name"].unique().tolist() == ["Käfer", "Zygaena", "abax ater"]
    assert images.rejected["file"].tolist() == ["Broken/only.jpg"]
    assert "1 species with too few images left out: Broken (0)" in caplog.text


def test_only_loose_files_are_refused(decoded: Path, tmp_path: Path) -> None:
    save(tmp_path / "flat", "loose.png", grey(1))
    reason = (
        r"must have one folder per class, but .*'loose\.png', .*datasets\.moths\.source\.metadata"
    )
    with pytest.raises(DataError, match=reason):
        read(tmp_path / "flat", decoded)


@pytest.fixture
def genera(tmp_path: Path) -> Path:
    sizes = {"Noctua/comes": 2, "Noctua/pronuba/2020": 1, "Abax/ater": 2, "Autographa/gamma": 1}
    return folder_of(tmp_path / "genera", sizes)


def test_two_levels_of_folders_name_binomials(
    genera: Path, decoded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save(genera, "Noctua/loose.png", photograph(9))
    (genera / "Noctua" / "comes" / "z.png").write_bytes(b"")
    images = read(genera, decoded, class_levels=2)
    assert images.index[["file", "class_name"]].to_numpy().tolist() == [
        ["Abax/ater/000.png", "Abax ater"],
        ["Abax/ater/001.png", "Abax ater"],
        ["Autographa/gamma/000.png", "Autographa gamma"],
        ["Noctua/comes/000.png", "Noctua comes"],
        ["Noctua/comes/001.png", "Noctua comes"],
        ["Noctua/pronuba/2020/000.png", "Noctua pronuba"],
    ]
    assert images.rejected.to_dict("split")["data"] == [
        ["Noctua/comes/z.png", "Noctua comes", "cannot be read: the file is empty"],
        ["Noctua/loose.png", "", "is not in a class folder"],
    ]
    assert "class_levels" not in caplog.text
    with pytest.raises(DataError, match=r"is in a class folder of 4 levels \(.*class_levels\)"):
        read(genera, decoded, class_levels=4)


def test_folders_of_genera_are_asked_about(
    genera: Path, decoded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = read(genera, decoded)
    assert images.index["class_name"].unique().tolist() == ["Abax", "Autographa", "Noctua"]
    assert (
        "No images are directly in the class folders; they are in 4 folders below them, such as "
        "'Abax/ater'. If those are the species, set datasets.moths.source.class_levels=2"
    ) in caplog.text


def test_one_stray_photograph_does_not_hide_folders_of_genera(
    tmp_path: Path, decoded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sizes = {"Noctua/comes": 4, "Noctua/pronuba": 4, "Abax/ater": 4, "Noctua": 1}
    read(folder_of(tmp_path / "genera", sizes), decoded)
    assert (
        "Few images are directly in the class folders; they are in 3 folders below" in caplog.text
    )


@pytest.mark.parametrize(
    "sizes",
    [
        {"Noctua comes/2020": 2, "Noctua comes/2021": 2, "Abax ater/2020": 2, "Abax ater/2021": 2},
        {"Noctua comes/Anna": 2, "Abax ater/Bert": 2},
        {"Noctua comes/Anna": 2, "Noctua comes/Bert": 2, "Abax ater": 2},
    ],
    ids=["years", "one each", "some directly"],
)
def test_other_folders_below_classes_are_not_asked_about(
    sizes: dict[str, int], tmp_path: Path, decoded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read(folder_of(tmp_path / "species", sizes), decoded)
    assert "class_levels" not in caplog.text


def test_one_class_is_refused(tmp_path: Path, decoded: Path) -> None:
    save(tmp_path, "photos/only/a.png", grey(1))
    with pytest.raises(DataError, match=r"has only 1 class, 'only'; at least 2 "):
        read(tmp_path / "photos", decoded)


def test_only_broken_files_are_reported_by_their_reasons(tmp_path: Path, decoded: Path) -> None:
    for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(b"%PDF" if name == "b/1.jpg" else b"")
    with pytest.raises(
        DataError,
        match=r"has no usable image; .* 3 files were rejected: 2 such as "
        r"'a/1\.jpg': cannot be read: the file is empty; 1 such as 'b/1\.jpg': .*PDF.*"
        r"All of them with their reasons: .*rejected\.csv",
    ):
        read(tmp_path / "photos", decoded)
    [listed] = decoded.glob("*/rejected.csv")
    table = pd.read_csv(listed)
    assert table.columns.tolist() == list(REJECTED.columns)
    assert table["file"].tolist() == ["a/1.jpg", "a/2.jpg", "b/1.jpg"]
    assert table["reason"].str.startswith("cannot be read: ").all()


def test_files_of_species_that_are_too_small_are_reported_with_them(
    tmp_path: Path, decoded: Path
) -> None:
    root = folder_of(tmp_path / "photos", {"a": 2, "b": 2})
    (root / "b" / "001.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"'b': its species has 1 .*: 1 such as 'b/001\.png': "):
        read(root, decoded, 2, small_classes="error")
    [listed] = decoded.glob("*/rejected.csv")
    assert pd.read_csv(listed)["file"].tolist() == ["b/001.png"]
    read(root, decoded, 1)  # it can be used now
    assert not listed.exists()


def test_empty_folder_is_refused(tmp_path: Path, decoded: Path) -> None:
    (tmp_path / "photos" / "a").mkdir(parents=True)
    with pytest.raises(DataError, match=r"datasets\.moths\.source\.path: no image file is in"):
        read(tmp_path / "photos", decoded)


@pytest.mark.parametrize("twin", ["KÄFER", "Ka\u0308fer", "Käfer "])
def test_species_that_differ_in_what_nobody_sees_are_refused(
    twin: str, species: Path, decoded: Path
) -> None:
    save(species, f"{twin}/a.png", photograph(5))
    with pytest.raises(DataError, match="differ only in case, blanks or the encoding of accents"):
        read(species, decoded)


def test_classes_that_may_be_one_species_are_logged(
    species: Path, decoded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save(species, "Noctua pronuba/a.png", photograph(5))
    save(species, "noctua_pronuba (Linnaeus, 1758)/a.png", photograph(6))
    with caplog.at_level(logging.WARNING):
        read(species, decoded)
    assert "'Noctua pronuba' and 'noctua_pronuba (Linnaeus, 1758)' differ only in" in caplog.text


def test_names_that_differ_in_one_letter_are_logged(
    species: Path, decoded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number, name in enumerate(("Noctua pronuba (Linnaeus, 1758)", "Noctua pronubba")):
        save(species, f"{name}/a.png", photograph(5 + number))
    with caplog.at_level(logging.WARNING):
        images = read(species, decoded)
    assert {"Noctua pronuba (Linnaeus, 1758)", "Noctua pronubba"} < set(images.index["class_name"])
    assert (
        "datasets.moths.source: names that differ in one letter, and are different classes: "
        "'Noctua pronuba (Linnaeus, 1758)' and 'Noctua pronubba'. If one of them is misspelt, "
        "rename its folder, or correct it in the table of names" in caplog.text
    )


def test_two_encodings_of_a_name_can_be_distinguished(species: Path, decoded: Path) -> None:
    save(species, "Ka\u0308fer/a.png", photograph(5))
    with pytest.raises(DataError, match=r"'Ka\\u0308fer' and 'K\\xe4fer' differ only"):
        read(species, decoded)


def test_names_that_a_spreadsheet_takes_for_formulas_stay_as_they_are(
    tmp_path: Path, decoded: Path
) -> None:
    odd = ["+1", "-dash", "=cmd()", "@SUM(A1)"]
    images = read(folder_of(tmp_path / "odd", dict.fromkeys(odd, 3)), decoded)
    assert list(dict.fromkeys(images.index["class_name"])) == odd
    assert images.index["file"].iloc[3] == "-dash/000.png"
    root = folder_of(tmp_path / "photos", {"a": 3, "b": 3})
    save(root, "=1+2.png", photograph(77))
    (root / "@").mkdir()
    (root / "@" / "phone.jxl").write_bytes(b"")
    assert read(root, decoded).rejected["file"].tolist() == ["=1+2.png", "@/phone.jxl"]
    named = "file,species\n=1+2.png,x\n" + "".join(
        f"{folder}/00{i}.png,{species}\n"
        for folder, species in (("a", "x"), ("b", "y"))
        for i in range(3)
    )
    (tmp_path / "names.csv").write_text(named)
    images = read(root, decoded, metadata=str(tmp_path / "names.csv"))
    assert images.index["file"].iloc[0] == "=1+2.png"


def test_small_species_are_left_out_by_name(
    tmp_path: Path, decoded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    root = folder_of(tmp_path / "photos", {"a": 3, "b": 2, "c": 3})
    images = read(root, decoded, smallest=3)
    assert images.index["class_name"].tolist() == ["a"] * 3 + ["c"] * 3
    assert images.index["label"].tolist() == [0] * 3 + [1] * 3
    assert images.rejected["file"].tolist() == ["b/000.png", "b/001.png"]
    assert set(images.rejected["reason"]) == {"its species has 2 usable images, 3 are needed"}
    assert "1 species with too few images left out: b (2)" in caplog.text


def test_small_species_can_be_an_error(tmp_path: Path, decoded: Path) -> None:
    root = folder_of(tmp_path / "photos", {"a": 3, "b": 2, "c": 3})
    with pytest.raises(
        DataError, match=r"1 species is too small, .*'error': 'b': its species has 2 usable"
    ):
        read(root, decoded, smallest=3, small_classes="error")


def test_species_of_one_picture_in_many_copies_is_small(tmp_path: Path, decoded: Path) -> None:
    root = folder_of(tmp_path / "photos", {"a": 3, "b": 3})
    for copy in range(5):
        save(root, f"same/{copy}.png", photograph(99))
    images = read(root, decoded, smallest=3, fewest_groups=3)
    assert images.index["class_name"].unique().tolist() == ["a", "b"]
    assert (
        "5 images of its species are 1 group that no split divides"
        in images.rejected["reason"].iloc[0]
    )


def test_groups_of_species_that_are_left_out_are_not_counted(
    tmp_path: Path, decoded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says what the report says."""
    caplog.set_level(logging.INFO)
    root = folder_of(tmp_path / "photos", {"a": 3, "b": 2, "c": 3})
    darker = ImageEnhance.Brightness(photograph(4)).enhance(0.8)
    save(root, "b/copy.png", photograph(3))
    save(root, "b/darker.png", darker)
    images = read(root, decoded, smallest=3, fewest_groups=3)
    assert set(images.rejected["reason"]) == {
        "the 4 images of its species are 2 groups that no split divides, 3 are needed"
    }
    assert "duplicate" not in caplog.text and "each on one side" not in caplog.text
    assert groups(images) == []
    caplog.clear()
    images = read(root, decoded, smallest=3, fewest_groups=2)
    for note in (
        "moths: 1 exact duplicate",
        "moths: 1 pair of near-duplicates",
        "moths: 4 images in 2 groups, each on one side of the split",
    ):
        assert note in caplog.text
    assert groups(images) == [["b/000.png", "b/copy.png"], ["b/001.png", "b/darker.png"]]


@pytest.mark.parametrize(("min_images", "needed"), [(None, 3), (9, 9), (1, 1)])
def test_smallest_class_is_what_the_hold_out_needs_unless_it_is_said(
    min_images: int | None, needed: int, base_config: dict[str, Any]
) -> None:
    imbalance = Imbalance.model_validate(base_config["datasets"]["moths"]["imbalance"])
    dataset = Dataset(
        name="moths", label="M", source=source(None, min_images=min_images), imbalance=imbalance
    )
    assert (dataset.smallest_class, dataset.fewest_groups) == (needed, 3)


def test_path_that_is_not_set_says_how_to_set_it() -> None:
    with pytest.raises(DataError, match=r"not set.*\n.*--params=datasets\.moths\.source\.path="):
        check_source(source(None), "moths")


def test_missing_paths_name_the_parameter(tmp_path: Path, species: Path) -> None:
    with pytest.raises(DataError, match=r"datasets\.moths\.source\.path: nothing is at .*gone"):
        check_source(source(tmp_path / "gone"), "moths")
    table = str(tmp_path / "gone.csv")
    with pytest.raises(DataError, match=r"datasets\.moths\.source\.metadata: there is no file"):
        check_source(source(species, metadata=table), "moths")


def test_any_source_is_read_by_its_kind(
    species: Path, tmp_path: Path, base_config: dict[str, Any]
) -> None:
    config = base_config["datasets"]["moths"]
    given = config | {"name": "moths", "source": source(species, min_images=1)}
    confirmed = ConfirmedStore(tmp_path)
    # Of two pictures of a species no split has three groups: only what is needed for it is left.
    with pytest.raises(DataError, match=r"no usable image; .*3 are needed"):
        read_source(Dataset.model_validate(given), tmp_path, tmp_path / "decoded", confirmed, 0)
    official = config["imbalance"] | {"holdout": {"kind": "official"}}
    images = read_source(
        Dataset.model_validate(given | {"imbalance": official}),
        tmp_path,
        tmp_path / "decoded",
        confirmed,
        0,
    )
    assert images.index["class_name"].unique().tolist() == ["Käfer", "Zygaena", "abax ater"]


def test_the_real_moths_hold_groups_of_one_individual(shared_data: Path, decoded: Path) -> None:
    """By their names, the images of each group were taken by one person on one day."""
    path = shared_data / "eu-moths-256.zip"
    if not path.is_file():
        pytest.skip(f"no {path.name} among the real archives")
    images = read(path, decoded, smallest=6, fewest_groups=3, image_size=256)
    sizes = images.index["class_name"].value_counts()
    assert (len(images.index), len(sizes), sizes.min(), sizes.max()) == (2205, 200, 11, 14)
    assert images.rejected.empty
    assert (images.index["file"].str.contains("märz")).any()
    pairs = (
        *("achlya_flavicornis", "acronicta_aceris", "agrotis_ipsilon", "catocala_nupta"),
        *("cerapteryx_graminis", "conistra_erythrocephala"),
        *("epirrita_autumnata_-_dilutata_-_christyi", "eupithecia_tantillaria"),
        *("lampropteryx_otregiata", "mesapamea_spec", "noctua_interjecta", "nycteola_revayana"),
        *("ochropacha_duplaris", "oligia_latruncula_-_strigilis_-_versicolor"),
        *("operophtera_brumata", "pheosia_tremula", "phlogophora_meticulosa", "stauropus_fagi"),
        *("sunira_circellaris", "xanthorhoe_ferrugata"),
    )
    assert [[file.split("/")[0] for file in files] for files in groups(images)] == [
        [name] * (3 if name == "agrotis_ipsilon" else 2) for name in pairs
    ]


def test_too_few_classes_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "photos", {"a": 2, "b": 2, "c": 1})
    decoded = tmp_path / "decoded"
    with pytest.raises(DataError) as raised:
        read(root, decoded, fewest=4)
    assert str(raised.value) == (
        f"datasets.moths.source: '{root}' has only 3 classes, 'a', 'b', 'c'; at least 4 classes "
        f"are needed, one each for head, middle and tail, and 1 that "
        f"datasets.moths.unknown.classes holds out. Lower datasets.moths.unknown.classes, or add a "
        f"folder for each missing class, or images to those that have too few"
    )
    save(root, "d\n/1.png", photograph(9))
    with pytest.raises(DataError, match=r"1 file was rejected: 1 such as .*: its name has a line"):
        read(root, decoded, fewest=4)
    assert not decoded.exists()
    with pytest.raises(
        DataError, match=r"has only 2 classes, 'a', 'b'; at least 3 .* 2 files were"
    ):
        read(root, decoded, smallest=2, fewest=3)
