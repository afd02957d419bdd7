"""Decoding of single files, from folders and from zip files."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from longtail.errors import DataError
from longtail.sources.files import ImageFileRef, decode, decode_all, find_image_files


def names(path: Path | str) -> list[str]:
    return [file.name for file in find_image_files(str(path), "key")]


def saved(folder: Path, image: Image.Image, name: str = "image.png", **options: Any) -> Any:
    """What an image decodes to after it was saved."""
    image.save(folder / name, **options)
    return decode(ImageFileRef((name,), folder, member=None), None)


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is large and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_rgb_image_keeps_its_pixels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert np.array_equal(saved(tmp_path, Image.fromarray(pixels)), pixels)


def test_exif_rotation_sets_the_image_upright(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it a quarter clockwise
    shown = saved(tmp_path, Image.fromarray(pixels), exif=exif)
    assert np.array_equal(shown, np.rot90(pixels, -1))


def test_greyscale_has_three_equal_channels(tmp_path: Path) -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    assert np.array_equal(saved(tmp_path, Image.fromarray(grey)), np.stack([grey] * 3, axis=-1))


def test_one_bit_image_is_black_and_white(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[True, False]]))
    assert saved(tmp_path, image)[0].tolist() == [[255] * 3, [0] * 3]


def test_palette_gives_its_colours(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert saved(tmp_path, image)[0].tolist() == [[10, 20, 30], [200, 100, 50]]


def test_transparent_palette_colour_becomes_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert saved(tmp_path, image, transparency=0)[0].tolist() == [[255] * 3, [200, 100, 50]]


def test_alpha_is_laid_on_white(tmp_path: Path) -> None:
    rgba = np.array([[[200, 0, 0, 255], [200, 0, 0, 0], [0, 0, 0, 51]]], dtype=np.uint8)
    shown = saved(tmp_path, Image.fromarray(rgba))
    assert shown[0].tolist() == [[200, 0, 0], [255, 255, 255], [204, 204, 204]]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    shown = saved(tmp_path, image, "image.jpg", quality=100)
    np.testing.assert_allclose(shown, np.broadcast_to([255, 0, 0], (8, 8, 3)), atol=6)


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    grey = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    assert saved(tmp_path, Image.fromarray(grey))[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("name", ["image.webp", "image.bmp", "image.tif", "image.gif"])
def test_other_formats_are_read(name: str, tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 8), (250, 128, 3))
    options: dict[str, Any] = {"lossless": True} if name.endswith("webp") else {}
    assert saved(tmp_path, image, name, **options)[4, 4].tolist() == [250, 128, 3]


def test_images_are_cut_to_a_centred_square(tmp_path: Path) -> None:
    pixels = np.zeros((10, 30, 3), dtype=np.uint8)
    pixels[:, 5:25] = 255  # the centre is white, as far as the resampling looks
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    shown = decode(ImageFileRef(("wide.png",), tmp_path, member=None), 5)
    assert shown.shape == (5, 5, 3)
    assert (shown == 255).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no image at all", "cannot be read"),
        (b"", "cannot be read"),
        (png_header(20_000, 6_000), "too many"),  # beyond our bound, within Pillow's
        (png_header(60_000, 60_000), "too many pixels"),  # beyond Pillow's
    ],
    ids=["text", "empty", "bomb", "great bomb"],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_unusable_files_are_refused_with_a_reason(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        decode(ImageFileRef(("bad.png",), tmp_path, member=None), 8)


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.webp", "photo.tif"])
def test_truncated_photographs_are_refused_not_filled_with_grey(name: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = io.BytesIO()
    Image.fromarray(pixels).save(whole, format=Image.registered_extensions()[f".{name[-3:]}"]
                                 if not name.endswith("webp") else "WEBP")  # fmt: skip
    (tmp_path / name).write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    reference = ImageFileRef((name,), tmp_path, member=None)
    ((_, result),) = decode_all([reference], 8, "test")
    assert isinstance(result, str) and "cannot be read" in result


def test_reasons_stand_in_for_unusable_files_in_their_order(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), (1, 2, 3)).save(tmp_path / "b.png")
    (tmp_path / "a.png").write_bytes(b"broken")
    files = find_image_files(str(tmp_path), "key")
    (first, reason), (second, pixels) = decode_all(files, 4, "test")
    assert (first.name, second.name) == ("a.png", "b.png")
    assert isinstance(reason, str) and not isinstance(pixels, str)
    assert pixels[0, 0].tolist() == [1, 2, 3]


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def png(colour: tuple[int, int, int] = (9, 8, 7)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(file, format="PNG")
    return file.getvalue()


@pytest.mark.parametrize("prefix", ["", "./"])
def test_zip_members_are_found_and_read(prefix: str, tmp_path: Path) -> None:
    path = zip_of(
        tmp_path / "all.zip",
        {f"{prefix}b/2.png": png(), f"{prefix}a/1.PNG": png(), f"{prefix}a/._1.png": b"", "x": b""},
    )
    files = find_image_files(str(path), "key")
    assert [file.name for file in files] == ["a/1.PNG", "b/2.png"]
    assert decode(files[0], None)[0, 0].tolist() == [9, 8, 7]


@pytest.mark.parametrize("damage", ["stream", "encrypted"])
def test_damaged_zip_member_is_refused_with_a_reason(damage: str, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "bad.zip", {"a/1.png": png()})
    content = bytearray(path.read_bytes())
    if damage == "stream":
        content[37:45] = b"\xff" * 8  # after the 30-byte header and the name
    else:
        content[6] |= 1
        content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(content))
    ((_, result),) = decode_all(find_image_files(str(path), "key"), 4, "test")
    assert isinstance(result, str)


def test_several_zips_are_joined_by_a_star(tmp_path: Path) -> None:
    zip_of(tmp_path / "part-2.zip", {"b/1.png": png()})
    zip_of(tmp_path / "part-1.zip", {"c/1.png": png()})
    assert names(tmp_path / "part-*.zip") == ["b/1.png", "c/1.png"]


def test_folder_whose_name_holds_brackets_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "photos [2020]*"
    folder.mkdir()
    (folder / "1.jpeg").write_bytes(b"")
    assert names(folder) == ["1.jpeg"]


def test_symbolic_links_and_hidden_files_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "root" / "a").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for file in ("root/a/1.png", "root/a/.hidden.png", "other/2.png"):
        (tmp_path / file).write_bytes(b"")
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "other", target_is_directory=True)
    (tmp_path / "root" / "a" / "link.png").symlink_to(tmp_path / "other" / "2.png")
    assert names(tmp_path / "root") == ["a/1.png"]


def test_nothing_at_the_path_names_the_parameter(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"datasets\.m\.source\.path: nothing is at '.*missing'"):
        find_image_files(str(tmp_path / "missing"), "datasets.m.source.path")


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(DataError, match="neither a folder nor a zip file"):
        find_image_files(str(tmp_path / "notes.txt"), "key")


def test_folder_of_zips_says_how_to_name_them(tmp_path: Path) -> None:
    zip_of(tmp_path / "a.zip", {"a/1.png": png()})
    with pytest.raises(DataError, match=r"name them, as in '.*/\*\.zip'.*Known endings: \.bmp"):
        find_image_files(str(tmp_path), "key")
