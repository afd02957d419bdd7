"""The name of a trial."""

from __future__ import annotations

from longtail.parameters.trial_name import TrialName


def test_a_name_is_its_text_and_back() -> None:
    name = TrialName("moths", "natural", "vit", "ldam", 12)
    assert str(name) == "moths.natural.vit.ldam.seed12"
    assert TrialName.parse("moths.natural.vit.ldam.seed12") == name
    assert name.key == "train.moths.natural.vit.ldam.seed12.trial"
