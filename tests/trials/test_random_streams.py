"""Streams of random numbers are separate, and stay what they were."""

from __future__ import annotations

from longtail.trials.random_streams import RandomStream

# Of seed 0 and epoch 1. Stored trainings were drawn with them.
SEEDS = {
    "SECOND_STAGE": 4541503240500248129,
    "SAMPLING": 4587258406839034533,
    "MIXING_PARTNERS": 755991671876274447,
    "MIXING_PARTNERS_AUGMENTATION": 2630345272166763747,
    "CONTRASTIVE_START": 1203728284500269929,
    "CONTRASTIVE_VIEWS": 1723406595554895652,
}


def test_streams_have_the_random_numbers_that_they_always_had() -> None:
    assert {stream.name: stream.derived_seed(0, 1) for stream in RandomStream} == SEEDS


def test_a_stream_has_other_numbers_for_each_seed_and_epoch() -> None:
    seeds = {
        stream.derived_seed(seed, epoch)
        for stream in RandomStream
        for seed in range(3)
        for epoch in range(1, 4)
    }
    assert len(seeds) == 9 * len(RandomStream)
