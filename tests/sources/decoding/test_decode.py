"""Decoding of single files, from folders and from zip files."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from PIL import Image, ImageOps
from pillow_heif import register_heif_opener

from longtail.sources.decoding.decode import (
    DEFAULT_LIMITS,
    Decoded,
    DecodeLimits,
    Rejection,
    try_decode_together,
)
from longtail.sources.files import ImageFileRef
from longtail.sources.listing import list_images
from tests.sources.photographs import pixels_of, png, zip_of


def try_decode(
    file: ImageFileRef, image_size: int, limits: DecodeLimits = DEFAULT_LIMITS
) -> Decoded | Rejection:
    [result] = try_decode_together([file], image_size, limits)
    return result


def saved(folder: Path, image: Image.Image, name: str = "image.png", **options: Any) -> Any:
    """What an image decodes to after it was saved."""
    image.save(folder / name, **options)
    return pixels_of(ImageFileRef((name,), folder, member=None), None)


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


def test_pixels_are_counted_in_a_process_that_has_decoded_nothing(tmp_path: Path) -> None:
    Image.new("RGB", (300, 200)).save(tmp_path / "image.jpg")
    script = (
        "import sys; from longtail.sources.decoding.decode import decoded_pixels; "
        "print(decoded_pixels(open(sys.argv[1], 'rb'), 1000))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "image.jpg")]
    printed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert printed == "60000\n"


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    grey = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    assert saved(tmp_path, Image.fromarray(grey))[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize(
    ("largest", "dtype"), [(1, "float32"), (255, "uint16"), (4095, "uint16"), (65535, "uint16")]
)
def test_grey_of_any_number_of_bits_is_neither_black_nor_white(
    largest: int, dtype: str, tmp_path: Path
) -> None:
    grey = (np.array([[0, 0.5, 1, 0.25]]) * largest).astype(dtype)
    shown = saved(tmp_path, Image.fromarray(grey), "image.tif")[0, :, 0]
    np.testing.assert_allclose(shown.astype(int), [0, 127, 255, 63], atol=1)


@pytest.mark.parametrize(
    "name",
    [
        *("image.webp", "image.bmp", "image.tif", "image.gif", "image.jpe", "image.jfif"),
        *("image.heic", "image.heif", "image.avif"),
    ],
)
def test_other_formats_are_read(name: str, tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 8), (250, 128, 3))
    options: dict[str, Any] = {"lossless": True} if name.endswith("webp") else {}
    if name.endswith(("heic", "heif")):
        register_heif_opener()
    shown = saved(tmp_path, image, name, **options)[4, 4]
    np.testing.assert_allclose(shown.astype(int), [250, 128, 3], atol=6)
    assert [file.name for file in list_images(str(tmp_path), "key").files] == [name]


def test_avif_and_heic_are_set_upright(tmp_path: Path) -> None:
    pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    pixels[:20, :30] = 255  # white in the upper left quarter
    exif = Image.Exif()
    exif[0x0112] = 6
    shown = saved(tmp_path, Image.fromarray(pixels), "image.avif", exif=exif)
    assert shown.shape == (60, 40, 3)
    quarters = [int(shown[y, x, 0] > 128) for y in (15, 45) for x in (10, 30)]
    assert quarters == [0, 1, 0, 0]


def test_images_are_cut_to_a_centred_square(tmp_path: Path) -> None:
    pixels = np.zeros((10, 30, 3), dtype=np.uint8)
    pixels[:, 5:25] = 255  # the centre is white, as far as the resampling reaches
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    shown = pixels_of(ImageFileRef(("wide.png",), tmp_path, member=None), 5)
    assert shown.shape == (5, 5, 3)
    assert (shown == 255).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no image at all", "cannot be read"),
        (b"", "cannot be read"),
        (
            png_header(20_000, 6_000),
            "20000 x 6000 pixels are too many: at most 100 million",
        ),  # beyond our bound, within Pillow's
        (png_header(60_000, 60_000), "pixels are too many: at most 100 million"),  # beyond Pillow's
    ],
    ids=["text", "empty", "bomb", "great bomb"],
)
def test_unusable_files_are_refused_with_a_reason(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        pixels_of(ImageFileRef(("bad.png",), tmp_path, member=None), 8)


def test_the_limit_of_pixels_is_a_parameter(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / "image.png")
    file = ImageFileRef(("image.png",), tmp_path, member=None)
    assert pixels_of(file, 8, DecodeLimits(max_pixels=600)).shape == (8, 8, 3)
    reason = "^30 x 20 pixels are too many: at most 0.000599 million are read"
    with pytest.raises(ValueError, match=reason):
        pixels_of(file, 8, DecodeLimits(max_pixels=599))


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_beyond_the_limit_is_decoded_at_a_reduced_size(
    progressive: bool, tmp_path: Path
) -> None:
    image = Image.fromarray(np.full((160, 240, 3), 90, dtype=np.uint8))
    image.save(tmp_path / "image.jpg", progressive=progressive)
    file = ImageFileRef(("image.jpg",), tmp_path, member=None)
    limits = DecodeLimits(max_pixels=160 * 240 // 4)
    np.testing.assert_allclose(pixels_of(file, 16, limits).astype(int), 90, atol=2)
    for size, limit in ((None, limits), (160, limits), (16, DecodeLimits(160 * 240 // 4 - 1))):
        with pytest.raises(ValueError, match="240 x 160 pixels are too many"):
            pixels_of(file, size, limit)


def test_a_photograph_of_108_million_pixels_is_read(tmp_path: Path) -> None:
    """Pillow itself would warn of it, and refuse it from 179 million on."""
    Image.new("L", (12_000, 9_000), 90).save(tmp_path / "image.jpg")
    shown = pixels_of(ImageFileRef(("image.jpg",), tmp_path, member=None), 64)
    assert shown.shape == (64, 64, 3) and (abs(shown.astype(int) - 90) <= 1).all()


def test_truncated_jpegs_are_kept_and_marked_on_request(tmp_path: Path) -> None:
    pixels = np.full((64, 64, 3), 200, dtype=np.uint8)
    pixels[::2] = 20
    whole = io.BytesIO()
    Image.fromarray(pixels).save(whole, format="JPEG", quality=95)
    content = whole.getvalue()
    kept = DecodeLimits(keep_truncated=True)
    file = ImageFileRef(("image.jpg",), tmp_path, member=None)
    (tmp_path / "image.jpg").write_bytes(content)
    result = try_decode(file, 64, kept)
    assert isinstance(result, Decoded) and not result.truncated
    (tmp_path / "image.jpg").write_bytes(content[: len(content) * 3 // 4])
    cut = try_decode(file, 64, kept)
    assert isinstance(cut, Decoded) and cut.truncated
    np.testing.assert_array_equal(cut.pixels[:16], result.pixels[:16])
    assert isinstance(try_decode(file, 64), Rejection)
    for rest in (content[:30], b"no image", b""):  # nothing of the image is there
        (tmp_path / "image.jpg").write_bytes(rest)
        assert isinstance(try_decode(file, 64, kept), Rejection)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    (tmp_path / "image.jpg").write_bytes((tmp_path / "image.png").read_bytes()[:-40])
    assert isinstance(try_decode(file, 64, kept), Rejection)  # only JPEGs


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.webp", "photo.tif"])
def test_truncated_photographs_are_refused_not_filled_with_grey(name: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = io.BytesIO()
    Image.fromarray(pixels).save(whole, format=Image.registered_extensions()[f".{name[-3:]}"]
                                 if not name.endswith("webp") else "WEBP")  # fmt: skip
    (tmp_path / name).write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    reference = ImageFileRef((name,), tmp_path, member=None)
    result = try_decode(reference, 8)
    assert isinstance(result, Rejection) and result.reason.startswith("cannot be read")
    assert result.permanent


def test_reasons_stand_in_for_unusable_files_in_their_order(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), (1, 2, 3)).save(tmp_path / "b.png")
    (tmp_path / "a.png").write_bytes(b"broken")
    files = list_images(str(tmp_path), "key").files
    assert [file.name for file in files] == ["a.png", "b.png"]
    refused, decoded = (try_decode(file, 4) for file in files)
    assert refused == Rejection(
        "cannot be read: not an image, whatever its name says", permanent=True
    )
    assert isinstance(decoded, Decoded)
    assert decoded.pixels[0, 0].tolist() == [1, 2, 3]
    assert decoded.sha256 == hashlib.sha256(bytes([1, 2, 3] * 16)).digest()


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
    result = try_decode(list_images(str(path), "key").files[0], 4)
    assert isinstance(result, Rejection) and result.reason.startswith("cannot be read")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_set_upright_after_the_cut(
    orientation: int, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 30, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "image.png", exif=exif)
    with Image.open(tmp_path / "image.png") as image:
        upright = ImageOps.exif_transpose(image)
    expected = ImageOps.fit(upright, (12, 12), Image.Resampling.BICUBIC)
    shown = pixels_of(ImageFileRef(("image.png",), tmp_path, member=None), 12)
    np.testing.assert_array_equal(shown, np.asarray(expected))


def test_large_jpegs_are_decoded_small_and_look_the_same(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 1600)
    pixels = np.stack([np.add.outer(ramp, ramp[::-1]) / 2] * 3, axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.jpg", quality=95)
    whole = Image.fromarray(pixels).resize((50, 50), Image.Resampling.BICUBIC)
    shown = pixels_of(ImageFileRef(("large.jpg",), tmp_path, member=None), 50)
    np.testing.assert_allclose(shown.astype(int), np.asarray(whole).astype(int), atol=3)


def test_first_of_several_frames_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), (grey, 0, 0)) for grey in (10, 200)]
    for name in ("film.gif", "film.webp", "film.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        shown = pixels_of(ImageFileRef((name,), tmp_path, member=None), 8)
        np.testing.assert_allclose(shown[4, 4].astype(int), [10, 0, 0], atol=6)


@pytest.mark.parametrize("size", [(1, 50), (50, 1), (1, 1), (300, 10)])
def test_strips_are_refused(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("RGB", size).save(tmp_path / "strip.png")
    with pytest.raises(ValueError, match=rf"^{size[0]} x {size[1]} pixels: too narrow"):
        pixels_of(ImageFileRef(("strip.png",), tmp_path, member=None), 8)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "the file is empty"),
        (bytes(1000), "it begins with zeros"),
        (b"PK\x03\x04rest", "it is a zip archive"),
        (b"%PDF-1.7", "it is a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it is PostScript"),
        (b"\xef\xbb\xbf <svg xmlns='http://www.w3.org/2000/svg'/>", "HTML, SVG or other XML"),
        (b"\x00\x00\x00\x18ftypheic", "it is a damaged HEIC or AVIF image, or a video"),
        (b"\x1f\x8b\x08", "it is a gzip archive"),
    ],
)
def test_what_is_no_image_is_named(content: bytes, what: str, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(ValueError, match=what):
        pixels_of(ImageFileRef(("photo.jpg",), tmp_path, member=None), 8)


def test_formats_that_are_not_read_are_refused_whatever_they_are_called(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.jpg", format="TGA")
    with pytest.raises(ValueError, match="not an image, whatever its name says"):
        pixels_of(ImageFileRef(("photo.jpg",), tmp_path, member=None), 8)


def test_a_pipe_with_an_image_s_name_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "photo.jpg")
    result = try_decode(ImageFileRef(("photo.jpg",), tmp_path, member=None), 8)
    assert result == Rejection("is not a regular file", permanent=False)


def test_a_link_that_took_a_file_s_place_is_not_followed(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    (tmp_path / "photo.png").symlink_to(tmp_path / "secret.png")
    result = try_decode(ImageFileRef(("photo.png",), tmp_path, member=None), 8)
    assert isinstance(result, Rejection) and not result.permanent


def test_a_zip_file_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    """In a notebook, a later run is in the same process."""
    archive = zip_of(tmp_path / "photos.zip", {"0.png": png((1, 1, 1)), "1.png": png((2, 2, 2))})
    old = list_images(str(archive), "key").files
    assert [pixels_of(file, 8).max() for file in old] == [1, 2]
    zip_of(archive, {"0.png": png((3, 3, 3))})
    [new] = list_images(str(archive), "key").files
    assert pixels_of(new, 8).max() == 3
    changed = Rejection("changed while the folder was read: run again", permanent=False)
    assert [try_decode(file, 8) for file in old] == [changed, changed]
    archive.unlink()
    assert try_decode(new, 8) == Rejection("cannot be read: No such file or directory", False)


def test_a_file_that_changes_after_it_was_listed_is_refused_for_now(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    files = list_images(str(tmp_path), "key").files
    Image.new("RGB", (9, 9), (1, 2, 3)).save(tmp_path / "photo.png")
    result = try_decode(files[0], 8)
    assert result == Rejection("changed while the folder was read: run again", permanent=False)
    (tmp_path / "photo.png").unlink()
    result = try_decode(files[0], 8)
    assert result == Rejection("cannot be read: No such file or directory", permanent=False)


def test_zip_bomb_is_refused_by_what_it_unpacks_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longtail.sources.files.MAX_MEMBER_BYTES", 1 << 20)
    path = zip_of(tmp_path / "bomb.zip", {"a/1.png": bytes(2 << 20)})
    assert path.stat().st_size < 10_000
    result = try_decode(list_images(str(path), "key").files[0], 8)
    assert isinstance(result, Rejection) and result.reason == "unpacks to more than 1 MB: refused"


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, which a run does not show
@settings(max_examples=150)
@given(data=strategies.data())
def test_damaged_files_are_decoded_or_refused_and_nothing_else(data: strategies.DataObject) -> None:
    format_name = data.draw(
        strategies.sampled_from([*("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"), "HEIF", "AVIF"])
    )
    register_heif_opener()
    whole = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(whole, format=format_name)
    content = bytearray(whole.getvalue())
    places = strategies.integers(0, len(content) - 1)
    for place in data.draw(strategies.lists(places, max_size=20)):
        content[place] = data.draw(strategies.integers(0, 255))
    del content[data.draw(strategies.integers(len(content) // 2, len(content))) :]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "photo.jpg").write_bytes(content)
        result = try_decode(ImageFileRef(("photo.jpg",), Path(folder), member=None), 8)
    if isinstance(result, Decoded):
        assert result.pixels.shape == (8, 8, 3)
    else:
        assert result.permanent and result.reason and "\n" not in result.reason
