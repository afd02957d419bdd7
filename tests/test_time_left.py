"""The time left is what the trials that are left take, by those that were measured."""

from __future__ import annotations

import pytest

from longtail.time_left import StageWork, TimeLeft, TrialWork

FAST, SLOW = "d.balanced.fast", "d.balanced.slow"


def trials(backbone: str, *methods: str) -> list[str]:
    return [f"{backbone}.{method}.seed0" for method in methods]


def work_of(epochs: dict[str, int]) -> dict[str, TrialWork]:
    """Trials of one stage, whose speed depends on all of their names but method and seed."""
    return {
        trial: TrialWork((StageWork(count, 1, ((trial.rsplit(".", 2)[0],),)),), count)
        for trial, count in epochs.items()
    }


def test_nothing_is_estimated_before_something_is_measured() -> None:
    left = TimeLeft(work_of({"d.t.b.m.seed0": 5}), now=0)
    assert left.seconds(100) is None
    left.training_started("d.t.b.m.seed0", 100, 5)
    assert left.seconds(200) is None


def test_each_backbone_has_its_own_speed() -> None:
    [fast, other_fast], [slow] = trials(FAST, "a", "b"), trials(SLOW, "a")
    left = TimeLeft(work_of(dict.fromkeys((fast, other_fast, slow), 10)), now=0)
    left.training_started(fast, 5, 10)  # what came before is not an epoch
    for epoch in range(10):
        left.epoch_done(fast, 9 - epoch, 5 + epoch + 1)
    left.ended(fast, 17, scored=True)  # scoring took 2 s
    assert left.of_trial(other_fast, 17) == 10 * 1 + 2
    assert left.seconds(17) == 2 * (10 * 1 + 2)  # nothing is known of the slow one
    left.training_started(slow, 17, 10)
    left.epoch_done(slow, 9, 67)
    assert left.of_trial(slow, 67) == 9 * 50 + 2
    assert left.seconds(67) == 9 * 50 + 2 + 12


def test_trials_at_the_same_time_share_the_time() -> None:
    names = trials(FAST, "a", "b", "c", "d")
    left = TimeLeft(work_of(dict.fromkeys(names, 10)), now=0)
    for name in names[:2]:
        left.training_started(name, 0, 10)
    for name in names[:2]:
        left.epoch_done(name, 9, 6)
    assert left.seconds(6) == (9 + 9 + 10 + 10) * 6 / 2
    for name in names[2:]:
        left.ended(name, 6, scored=False)
    left.ended(names[0], 6, scored=False)
    assert left.seconds(6) == 9 * 6  # not half of it: one trial is left


def test_a_trial_that_is_nearly_done_is_not_counted_from_its_start() -> None:
    [name] = trials(FAST, "a")
    left = TimeLeft(work_of({name: 100}), now=0)
    left.training_started(name, 0, 100)
    left.epoch_done(name, 1, 30)  # resumed from a checkpoint after epoch 98
    assert left.seconds(30) == 30
    assert left.seconds(50) == 10
    assert left.seconds(500) == 0


def test_features_have_their_own_estimate_and_are_no_epochs() -> None:
    first, second = trials(FAST, "a", "b")
    [other] = trials(SLOW, "a")
    left = TimeLeft(work_of(dict.fromkeys((first, second, other), 60)), now=0)
    left.training_started(first, 100, 60)
    assert left.features_done(first, 64, 640, 110) == pytest.approx(90)
    assert left.seconds(110) is None
    assert left.features_done(first, 640, 640, 200) == 0
    left.epoch_done(first, 59, 200.5)
    # The second trial finds them; the other backbone's have to be computed.
    assert left.seconds(200.5) == pytest.approx((59 + 60 + 60) * 0.5 + 100)


def test_a_stored_first_stage_is_no_longer_left() -> None:
    name, other = trials(FAST, "a", "b")
    left = TimeLeft(work_of({name: 30, other: 10}), now=0)
    left.training_started(name, 0, 10)  # the first stage of 20 epochs is stored
    left.epoch_done(name, 9, 2)
    assert left.of_trial(name, 2) == 9 * 2
    assert left.of_trial(other, 2) == 10 * 2


def test_a_training_that_another_trial_does_is_not_counted_again() -> None:
    """Softmax, its post-hoc adjustment, and a second stage on its model, which is faster."""
    plain, adjusted, second = trials(FAST, "softmax", "softmax_adjusted", "crt")
    first = StageWork(200, 100, (("training",), ("network",)))
    last = StageWork(10, 100, (("second stage",), ("network",)))
    work = {
        plain: TrialWork((first,), 200),
        adjusted: TrialWork((first,), 0),
        second: TrialWork((first, last), 10),
    }
    left = TimeLeft(work, now=0)
    left.training_started(plain, 0, 200)
    left.epoch_done(plain, 199, 30)
    assert left.of_trial(adjusted, 30) == 0
    assert left.of_trial(second, 30) == 10 * 30  # as no second stage is known, like the network
    assert left.seconds(30) == (199 + 10) * 30
    left.training_started(second, 30, 10)
    left.epoch_done(second, 9, 40)
    assert left.of_trial(second, 40) == 9 * 10
    assert left.of_trial(plain, 40) == 199 * 30 - 10


def test_the_last_epoch_of_a_first_stage_is_one_of_it() -> None:
    [name, other] = trials(FAST, "crt", "lws")
    stages = (StageWork(2, 1, (("first",),)), StageWork(3, 1, (("second",),)))
    left = TimeLeft({name: TrialWork(stages, 5), other: TrialWork(stages, 5)}, now=0)
    left.training_started(name, 0, 5)
    for done, now in enumerate((20, 40, 41, 42), start=1):
        left.epoch_done(name, 5 - done, now)
    assert left.of_trial(other, 42) == 2 * 20 + 3 * 1


def test_an_epoch_of_more_images_takes_longer() -> None:
    small, large = "d.long_tailed.b.m.seed0", "d.balanced.b.m.seed0"
    work = {
        small: TrialWork((StageWork(10, 100, (("b",),)),), 10),
        large: TrialWork((StageWork(10, 500, (("b",),)),), 10),
    }
    left = TimeLeft(work, now=0)
    left.training_started(small, 0, 10)
    left.epoch_done(small, 9, 2)
    assert left.seconds(2) == pytest.approx(9 * 2 + 10 * 10)
