"""Damage to files, as a failing disk makes it."""

from __future__ import annotations

from pathlib import Path


def with_flipped_bit(content: bytes, position: int, bit: int = 0) -> bytes:
    """The same bytes, but for one bit."""
    changed = bytearray(content)
    changed[position] ^= 1 << bit
    return bytes(changed)


def flip_bit(file: Path, position: int | None = None, bit: int = 0) -> None:
    """Flip one bit of a file, by default in its middle."""
    content = file.read_bytes()
    file.write_bytes(
        with_flipped_bit(content, len(content) // 2 if position is None else position, bit)
    )
