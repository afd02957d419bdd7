"""Official splits that are folders, such as ``train``, ``valid`` and ``test``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from longtail.errors import DataError
from longtail.wording import counted, first_listed, listed

Parts = tuple[str, ...]
Answer = Literal["official", "redraw", "classes"] | None

TRAIN_SPLIT, VALIDATION_SPLIT, TEST_SPLIT = "train", "validation", "test"
_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), TRAIN_SPLIT),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VALIDATION_SPLIT),
    **dict.fromkeys(("test", "testing", "tst"), TEST_SPLIT),
}


def split_of(name: str) -> str | None:
    """The official split that a name stands for: train, validation or test.

    Examples:
        >>> [split_of(name) for name in ("Train", "val", "seg_test", "training set", "trainval")]
        ['train', 'validation', 'test', 'train', None]
    """
    words = re.split(r"[\W\d_]+", name.casefold())
    found = {_WORDS[word] for word in words if word in _WORDS}
    return found.pop() if len(found) == 1 else None


@dataclass(frozen=True)
class SplitFolders:
    """Folders that are official splits.

    Attributes:
        position: how many folders are above them: 0, or those that name the class.
        splits: the split of each folder by its name.
    """

    position: int
    splits: dict[str, str]

    def divide(self, parts: Parts) -> tuple[str | None, Parts]:
        """The split of a file and its path without the split's folder.

        Files outside the folders are training images if no folder is for these; otherwise their
        split is None.
        """
        at = self.position
        if len(parts) > at + 1 and parts[at] in self.splits:
            return self.splits[parts[at]], (*parts[:at], *parts[at + 1 :])
        return (None if TRAIN_SPLIT in self.splits.values() else TRAIN_SPLIT), parts


def find_split_folders(
    files: Sequence[Parts], levels: int, answer: Answer, key: str
) -> SplitFolders | None:
    """The folders that are official splits, above or directly below the class folders.

    Args:
        files: the paths of the files, without folders that hold everything.
        levels: how many levels of folders name a class; 0 if boxes have the species.
        answer: the user's answer to the question whether these are splits, if it was asked.
        key: the parameters of the source, for messages.

    Raises:
        DataError: with the question, if it is not clear whether they are splits.
    """
    if answer == "classes":
        return None
    for position in (0, levels):
        names = {parts[position] for parts in files if len(parts) > position + 1}
        splits = {name: split for name in sorted(names) if (split := split_of(name))}
        if splits and not levels and len(set(splits.values())) > 1:
            if answer is None:
                anything = "boxes have the species, so the folders may be anything"
                raise DataError(question(sorted(splits), anything, key))
        elif doubt := _doubt(files, position, names, splits):
            if answer is None:
                raise DataError(question(sorted(splits), doubt, key))
        elif len(set(splits.values())) < 2:
            continue
        return SplitFolders(position, splits)
    return None


def _doubt(
    files: Sequence[Parts], position: int, names: set[str], splits: dict[str, str]
) -> str | None:
    """Why it is not clear whether folders are splits; None if it is clear what they are."""
    others = sorted(names - set(splits))
    if len(set(splits.values())) < 2:
        if position or not splits or not others:
            return None
        # Class folders beside a split of the same classes, or another folder with these.
        below = {parts[1] for parts in files if len(parts) > 2 and parts[0] in splits}
        if both := sorted(below & set(others)):
            return f"it has a folder '{both[0]}', as has the folder above it"
        beside = {parts[1]: parts[0] for parts in files if len(parts) > 2 and parts[0] in others}
        if both := sorted(below & set(beside)):
            return f"it has a folder '{both[0]}', as has '{beside[both[0]]}'"
        if len(below) > 1 and not beside:
            return f"its images are in folders below it, those of '{others[0]}' are not"
        return None
    if others:
        shown = first_listed([f"'{name}'" for name in others])
        return f"beside them are {shown}"
    if twice := [name for name in splits if list(splits.values()).count(splits[name]) > 1]:
        return f"{_quoted(twice)} are the same split"
    if not position and all(len(parts) < 3 for parts in files if parts[0] in splits):
        return "their images are in no class folders: for splits, metadata must name the classes"
    if position and any(len(parts) <= position + 1 for parts in files if len(parts) > position):
        return "some classes have images beside them"
    return None


def question(folders: Iterable[str], doubt: str, key: str) -> str:
    """What the user must say about folders that may be splits."""
    names = list(folders)
    one = len(names) == 1
    return (
        f"{key}.path: {_quoted(names)} {'looks' if one else 'look'} like "
        f"{'an official split' if one else 'official splits'}, but {doubt}. Say what "
        f"{'it is' if one else 'they are'}:\n"
        f"  --params={key}.split_folders=official   official splits; a missing one is drawn, and "
        f"images in other folders are left out\n"
        f"  --params={key}.split_folders=redraw     one data set, which imbalance.holdout splits\n"
        f"  --params={key}.split_folders=classes    classes like any other"
    )


def _quoted(names: Iterable[str]) -> str:
    return listed(f"'{name}'" for name in names)


def sizes(splits: Sequence[str]) -> str:
    """How many images each official split has, in words."""
    return ", ".join(
        f"{split} {counted(splits.count(split), 'image')}"
        for split in (TRAIN_SPLIT, VALIDATION_SPLIT, TEST_SPLIT)
        if split in splits
    )
