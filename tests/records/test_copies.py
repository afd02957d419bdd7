"""Of copies of a photograph, one is published."""

from __future__ import annotations

from longtail.records.identifications import HUMAN, identifications, without_copies
from tests.records.names_rows import RECOGNIZER, names, row


def test_one_of_two_copies_is_kept_and_the_other_has_the_reason() -> None:
    rows = [row("copy1.jpg"), row("copy2.jpg"), row("other.jpg")]
    table = names(*rows).assign(sha256=["one", "one", "two"])
    kept, copies = without_copies(identifications(table, RECOGNIZER, {}))
    assert kept["file"].tolist() == ["copy1.jpg", "other.jpg"]
    assert copies[["file", "why"]].to_numpy().tolist() == [
        ["copy2.jpg", "the same file as 'copy1.jpg'"]
    ]


def test_the_copy_of_which_most_is_known_is_kept() -> None:
    rows = [
        row("a.jpg", night=""),
        row("b.jpg", latitude=None),
        row("c.jpg"),
        row("trap 1/d.jpg", deployment="trap 1"),
        row("trap 2/e.jpg", deployment="trap 2"),
    ]
    identified = identifications(names(*rows).assign(sha256="one"), RECOGNIZER, {})
    assert without_copies(identified)[0]["file"].tolist() == ["trap 1/d.jpg"]
    identified.loc[1, "method"] = HUMAN
    kept, copies = without_copies(identified)
    assert kept["file"].tolist() == ["b.jpg"]
    assert set(copies["why"]) == {"the same file as 'b.jpg'"}


def test_animals_of_one_photograph_are_all_kept() -> None:
    rows = [row("a.jpg#xywh=1,2,3,4"), row("a.jpg#xywh=5,6,7,8")]
    kept, copies = without_copies(identifications(names(*rows), RECOGNIZER, {}))
    assert len(kept) == 2
    assert copies.empty
