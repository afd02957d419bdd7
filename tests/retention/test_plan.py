"""What is kept, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longtail.retention.plan import (
    CHECKPOINT_AGE,
    ItemDecision,
    Needs,
    Reference,
    RemovalPlan,
    decide_stored,
    decide_versions,
    freed,
    read_before,
)
from longtail.retention.scan import Content, Item, Stored, Version
from longtail.retention.table import summary, table
from longtail.retention.uses import Use
from tests.data_folders import A, B, C, D

PATH, OTHER = "a/b.csv", "a/c.csv"
NOW = 1e9


def version(name: str, path: str = PATH, **changes: object) -> Version:
    content = Content((1, hash(name)), 1, 10)
    whole = Version(f"{path}/{name}", (content,), own=True, entry="a/{}.csv", complete=True)
    return replace(whole, **changes)  # type: ignore[arg-type]


FOUR = [*map(version, (A, B, C, D))]


def removed(
    of: list[Version],
    keep: int,
    references: tuple[Reference, ...] = (),
    uses: tuple[Use, ...] = (),
) -> list[str]:
    decisions = decide_versions(of, keep, Needs(references, uses))
    return [decision.item.name for decision in decisions if not decision.reasons]


def reasons(references: tuple[Reference, ...]) -> dict[str, tuple[str, ...]]:
    decisions = decide_versions(FOUR, 1, Needs(references))
    return {d.item.name: d.reasons for d in decisions if d.reasons}


@pytest.mark.parametrize(
    ("keep", "gone"), [(1, [A, B, C]), (2, [A, B]), (3, [A]), (4, []), (9, [])]
)
def test_the_newest_stay(keep: int, gone: list[str]) -> None:
    assert removed(FOUR, keep) == gone


def test_what_cannot_be_loaded_does_not_count_as_new() -> None:
    """A killed run may have left a folder without its file."""
    last = version(D, contents=(), complete=False)
    assert removed([version(A), version(B), last], 1) == [A, D]


def test_what_is_not_the_project_s_own_stays_and_does_not_count() -> None:
    foreign = version(D, own=False, complete=False)
    assert removed([version(A), version(B), foreign], 1) == [A]
    assert removed([version(A, entry=None), version(B, entry=None)], 1) == []


def test_versions_of_runs_that_mlflow_does_not_know_stay() -> None:
    """They may be tracked in another database, with the tag `keep`."""
    broken = version(B, contents=(), complete=False)
    versions = [version(A), broken, version(C), version(D)]
    decisions = decide_versions(versions, 1, Needs(tracked={A, D}))
    assert {d.item.name: d.reasons for d in decisions} == {
        A: (),
        B: (),
        C: ("of runs not in MLflow",),
        D: ("newest",),
    }


def test_of_versions_from_the_future_and_others_the_newest_stay() -> None:
    """An older release of the project named the last run of all before one from the future."""
    future = [version(f"299{year}-01-01T00.00.00.000Z") for year in (1, 2)]
    assert removed([*FOUR, *future], 1) == [A, B, C, future[0].name]
    assert removed([*FOUR, *future], 3) == [A]


def test_references_keep_their_version_of_their_artifact_or_of_all() -> None:
    of_this = Reference(A, PATH, "conf/x/lock.yml")
    of_another = Reference(B, OTHER, "conf/x/lock.yml")
    of_all = Reference(C, None, "tagged")
    references = (of_this, of_another, of_all)
    assert removed(FOUR, 1, references) == [B]
    assert reasons(references) == {
        A: ("conf/x/lock.yml",),
        C: ("tagged",),
        D: ("newest",),
    }


def test_a_reason_is_given_once() -> None:
    twice = (Reference(D, PATH, "tagged"), Reference(D, None, "tagged"))
    assert reasons(twice)[D] == ("newest", "tagged")


def test_a_run_in_progress_keeps_what_it_writes_and_may_read() -> None:
    reads = Use("2001-01-09T00.00.00.000Z", {PATH: B})
    assert removed(FOUR, 1, uses=(reads,)) == [A]
    reads_another = Use("2001-01-09T00.00.00.000Z", {OTHER: A})
    assert removed(FOUR, 1, uses=(reads_another,)) == [A, B, C]
    writes = Use(A, {})
    assert removed(FOUR, 1, uses=(writes,)) == [B, C]
    found_none = Use("2001-01-09T00.00.00.000Z", {PATH: ""})
    assert removed(FOUR, 1, uses=(found_none,)) == []


def test_a_run_that_noted_nothing_may_have_read_the_newest_before_it() -> None:
    broken = [version(A), version(B, complete=False), version(C)]
    assert read_before(FOUR, C, "tagged") == [Reference(B, PATH, "tagged")]
    assert read_before(broken, C, "tagged") == [Reference(A, PATH, "tagged")]
    assert read_before(FOUR, A, "tagged") == []


def training(kind: str = "training", age: float = 0, own: bool = True) -> Stored:
    return Stored("store/f", (), own, f"store: {kind}", kind, "f", NOW - age)  # type: ignore[arg-type]


def kept(stored: Stored, named: set[str] | None, **circumstances: bool) -> str | None:
    given = {"claimed": False, "running": False, **circumstances}
    reasons = decide_stored(stored, named=named, now=NOW, **given).reasons
    assert len(reasons) <= 1
    return reasons[0] if reasons else None


def test_a_training_stays_if_a_kept_card_names_it() -> None:
    assert kept(training(), {"f", "g"}) == "named by a kept card"
    assert kept(training(), {"g"}) is None
    assert kept(training(), None) == "a symbolic link may hide its card"
    assert kept(training(own=False), set()) == "contains other files"


def test_a_draft_goes_and_an_unfinished_training_goes_when_it_is_old() -> None:
    assert kept(training("draft"), {"f"}) is None
    assert kept(training("checkpoint", CHECKPOINT_AGE - 1), set()) == "younger than 30 days"
    assert kept(training("checkpoint", CHECKPOINT_AGE), {"f"}) is None
    assert CHECKPOINT_AGE == 30 * 24 * 3600


def test_features_go_when_they_have_not_been_used_for_long() -> None:
    assert kept(training("features", CHECKPOINT_AGE - 1), set()) == "younger than 30 days"
    assert kept(training("features", CHECKPOINT_AGE), {"f"}) is None
    assert kept(training("features", CHECKPOINT_AGE, own=False), set()) == "contains other files"


def test_logits_go_with_their_training_or_when_they_have_not_been_used_for_long() -> None:
    young, old = training("logits", CHECKPOINT_AGE - 1), training("logits", CHECKPOINT_AGE)
    assert kept(young, {"f"}) == "named by a kept card"
    assert kept(young, {"g"}) is None
    assert kept(young, None) == "a symbolic link may hide its card"
    assert kept(old, {"f"}) is None
    assert kept(training("logits", CHECKPOINT_AGE, own=False), set()) == "contains other files"


@pytest.mark.parametrize("kind", ["training", "draft", "checkpoint", "features", "logits"])
def test_nothing_of_the_store_goes_under_a_run_or_a_claim(kind: str) -> None:
    old = training(kind, 2 * CHECKPOINT_AGE)
    assert kept(old, set()) is None
    assert kept(old, set(), running=True) == "run in progress"
    assert kept(old, set(), claimed=True) == "being trained"


def test_a_file_under_several_names_is_freed_with_the_last_and_counted_once() -> None:
    one = Content((1, 1), 1, 5)
    two = Content((1, 2), 2, 70)
    outside = Content((1, 3), 3, 900)
    assert freed([[one, two], [outside, outside]]) == [5, 0]
    assert freed([[one, two], [two, outside]]) == [75, 0]
    assert freed([[outside], [outside], [outside, one]]) == [900, 0, 5]
    assert freed([]) == []


def plan(gone: list[str], trainings: list[str]) -> RemovalPlan:
    stays = ItemDecision(version(D), ("newest",))
    entries = [replace(training(), path=f"store/{name}", fingerprint=name) for name in trainings]
    items: list[Item] = [*map(version, gone), *entries]
    return RemovalPlan([stays, *map(ItemDecision, items)])


def test_only_what_was_shown_is_removed() -> None:
    agreed = plan([A, C], ["g"]).only(plan([A, B], ["f"]))
    assert [item.path for item in agreed.removed] == [f"{PATH}/{A}"]
    assert [decision.item.name for decision in agreed.decisions] == [D, A]
    assert plan([A], []).only(plan([B], [])).removed == []


def test_a_plan_is_summed_up() -> None:
    assert summary(plan([A, B], ["f"])) == "2 versions, 1 training: 20 bytes"


def test_artifacts_of_one_entry_share_a_row() -> None:
    stored = {"b": (A, B), "c": (A, B, C), "d": (A, B), "e": (A,)}
    versions = [
        version(name, f"a/{file}.csv", entry="a/d.csv" if file == "d" else "a/{}.csv")
        for file, names in stored.items()
        for name in names
    ]
    shown = table(RemovalPlan(decide_versions(versions, 1, Needs())))
    cells = [list(map(str, column.cells)) for column in shown.columns]
    assert cells[0] == ["a/{}.csv (2 artifacts)", "a/d.csv"]
    assert cells[1] == [f"3: {A}, {B}", A]
    assert cells[2] == ["3 newest", "1 newest"]
    assert [str(column.footer) for column in shown.columns][:2] == ["sum", "4 versions"]
