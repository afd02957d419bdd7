"""From logits to names: answers, roll-up, track records, and species that are not known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from longtail.naming.answers_table import (
    BAD_BOX,
    DONT_KNOW,
    columns_of,
    log_names,
    names_table,
    row_without_animal,
    unreadable_row,
)
from longtail.naming.certified_threshold import images_needed
from longtail.naming.decision_rule import NOT_NAMED, BestGroup, DecisionRule
from longtail.naming.error_rates import names_at_each_rate
from longtail.naming.held_out_answers import LabelledLogits
from longtail.naming.recognizer import (
    HeldOutLogits,
    PriorAndTaxonomy,
    TrainedTrial,
    make_recognizer,
)
from longtail.naming.taxonomy import NO_GROUP, Rank
from longtail.naming.track_record import track_record
from longtail.parameters import CanonicalLoss, Predict, Trial
from longtail.trials.loss_schedule import LossSchedule
from longtail.trials.training_job import Split, TrainingJob

SPECIES = ["noctua_pronuba", "noctua_fimbriata", "xestia_baja"]
TAXONOMY = {name: {"genus": name.split("_")[0]} for name in SPECIES}


def record(precision: float | None = 0.5) -> dict[str, Any]:
    ends = {"low": None, "high": None} if precision is None else {"low": 0.3, "high": 0.7}
    return {"precision": precision, **ends, "test_images": 4, "train_images": 9}


def decision_rule(
    prior: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3),
    species_from: float | None = 0.8,
    genus_from: float | None = 0.7,
    novelty_threshold: float | None = None,
    taxonomy: dict[str, dict[str, str]] = TAXONOMY,
) -> DecisionRule:
    return DecisionRule.of(
        {
            "class_names": SPECIES,
            "temperature": 1.0,
            "assumed_prior": [1 / 3] * 3,
            "prior": prior,
            "taxonomy": taxonomy,
            "thresholds": {
                "species": {"threshold": species_from},
                "genus": {"threshold": genus_from},
            },
            "unknown": {"score": "energy", "reference": None, "threshold": novelty_threshold},
            "track_record": {name: record() for name in SPECIES},
            "track_record_above": {"genus": {"noctua": record(0.9), "xestia": record(None)}},
        }
    )


def named(of: DecisionRule, *probabilities: float) -> dict[str, Any]:
    table = names_table(of, ["moth.jpg"], np.log([probabilities]))
    assert list(table.columns) == columns_of(of)
    return {str(name): value for name, value in table.iloc[0].items()}


def test_a_sure_species_is_the_answer() -> None:
    row = named(decision_rule(), 0.85, 0.10, 0.05)
    assert (row["answer"], row["rank"], row["trust"]) == ("noctua_pronuba", "species", "yes")
    assert row["answer_probability"] == pytest.approx(0.85)
    assert (row["species_2"], row["species_3"]) == ("noctua_fimbriata", "xestia_baja")
    assert row["probability_2"] == pytest.approx(0.10)
    assert (row["precision"], row["precision_low"], row["train_images"]) == (0.5, 0.3, 9)
    assert row["why"] == "probability 0.850, needs 0.800"


def test_two_species_of_one_genus_leave_the_genus() -> None:
    row = named(decision_rule(), 0.5, 0.45, 0.05)
    assert (row["answer"], row["rank"], row["trust"]) == ("noctua", "genus", "yes")
    assert row["answer_probability"] == pytest.approx(0.95)
    assert row["species"] == "noctua_pronuba"
    assert (row["genus"], row["genus_probability"]) == ("noctua", pytest.approx(0.95))
    # The track record of what is answered.
    assert row["precision"] == 0.9
    assert row["why"] == "probability 0.950, needs 0.700; no species is sure"


def test_two_species_of_two_genera_leave_no_answer() -> None:
    row = named(decision_rule(), 0.45, 0.05, 0.5)
    assert (row["answer"], row["rank"], row["trust"]) == (DONT_KNOW, "", "no")
    assert np.isnan(row["answer_probability"])
    assert row["species"] == "xestia_baja"
    assert row["why"] == "species 0.500, needs 0.800; genus 0.500, needs 0.700"


def test_without_a_certified_threshold_nothing_is_trusted() -> None:
    row = named(decision_rule(species_from=None, genus_from=None), 1.0, 1e-9, 1e-9)
    assert (row["answer"], row["trust"]) == (DONT_KNOW, "no")
    assert "no threshold is certified" in row["why"]
    assert row["species"] == "noctua_pronuba"


def test_only_listed_species_compete() -> None:
    row = named(decision_rule(prior=(0.5, 0, 0.5)), 0.2, 0.7, 0.1)
    assert row["species"] == "noctua_pronuba"
    assert row["probability"] == pytest.approx(2 / 3)
    assert (row["species_2"], row["probability_2"]) == ("xestia_baja", pytest.approx(1 / 3))
    assert np.isnan(row["probability_3"])


def test_a_genus_of_which_no_species_is_listed_is_not_reported() -> None:
    of = decision_rule(prior=(0, 0, 1), taxonomy={**TAXONOMY, "xestia_baja": {"genus": ""}})
    row = named(of, 0.2, 0.7, 0.1)
    assert row["species"] == "xestia_baja"
    assert np.isnan(row["genus"]) and np.isnan(row["genus_probability"])


# Only the third species is in the taxonomy.
PARTIAL = {name: {"genus": "xestia" if name == "xestia_baja" else ""} for name in SPECIES}


def test_a_species_outside_the_taxonomy_has_no_genus_of_another() -> None:
    row = named(decision_rule(taxonomy=PARTIAL), 0.99, 0.0089, 0.0011)
    assert (row["answer"], row["rank"], row["trust"]) == ("noctua_pronuba", "species", "yes")
    assert np.isnan(row["genus"]) and np.isnan(row["genus_probability"])


def test_what_is_most_probably_outside_the_taxonomy_gets_no_genus() -> None:
    """The third species comes first, but the two without a genus have more together."""
    of = decision_rule(taxonomy=PARTIAL, genus_from=0.3)
    row = named(of, 0.3, 0.3, 0.4)
    assert (row["answer"], row["species"]) == (DONT_KNOW, "xestia_baja")
    assert np.isnan(row["genus"]) and np.isnan(row["genus_probability"])
    assert row["why"] == ("species 0.400, needs 0.800; no genus is known of what is most probable")
    row = named(of, 0.1, 0.3, 0.6)
    assert (row["answer"], row["genus"]) == ("xestia", "xestia")
    assert row["genus_probability"] == pytest.approx(0.6)


def test_ranks_above_a_trusted_name_are_those_of_the_name() -> None:
    """The genus of the other two is more probable, but the species is named."""
    of = decision_rule(species_from=0.4)
    row = named(of, 0.29, 0.29, 0.42)
    assert (row["answer"], row["trust"]) == ("xestia_baja", "yes")
    assert (row["genus"], row["genus_probability"]) == ("xestia", pytest.approx(0.42))
    row = named(of, 0.31, 0.3, 0.39)
    assert (row["answer"], row["species"], row["genus"]) == (DONT_KNOW, "xestia_baja", "noctua")


def test_the_family_above_a_trusted_genus_is_that_of_the_genus() -> None:
    families = {"noctua_pronuba": "", "noctua_fimbriata": "Noctuidae", "xestia_baja": "Other"}
    taxonomy = {name: {**TAXONOMY[name], "family": families[name]} for name in SPECIES}
    of = decision_rule(genus_from=0.5, taxonomy=taxonomy)
    of = replace(of, thresholds={**of.thresholds, "family": None})
    row = named(of, 0.1, 0.44, 0.46)
    assert (row["answer"], row["genus"], row["family"]) == ("noctua", "noctua", "Noctuidae")
    assert row["family_probability"] == pytest.approx(0.44)


def test_what_looks_like_nothing_known_is_not_named() -> None:
    of = decision_rule(novelty_threshold=-1.0)
    logits = np.array([[9.0, 0, 0], [0.9, -9, -9]])
    table = names_table(of, ["a", "b"], logits)
    assert table["trust"].tolist() == ["yes", "no"]
    assert table.loc[1, "why"] == "looks like none of the known species"
    np.testing.assert_allclose(table["novelty"], [-9.000247, -0.9001], atol=1e-4)


def test_the_lowest_sure_rank_decides_and_what_is_strange_is_left_out() -> None:
    logits = np.log([[0.85, 0.1, 0.05], [0.5, 0.45, 0.05], [0.45, 0.05, 0.5]])
    decision = decision_rule().decide(logits)
    assert decision.named_by.tolist() == [0, 1, NOT_NAMED]
    assert [best.group.tolist() for best in decision.best] == [[0, 0, 2], [0, 0, 0]]
    np.testing.assert_allclose(decision.best[1].probability, [0.95, 0.95, 0.5])
    # Energies of normalized logits are 0.
    assert (decision_rule(novelty_threshold=-0.1).decide(logits).named_by == NOT_NAMED).all()
    assert decision_rule(species_from=None).decide(logits).named_by.tolist() == [1, 1, NOT_NAMED]


def test_a_file_that_cannot_be_read_is_a_row_with_the_reason() -> None:
    row = unreadable_row("broken.jpg", "it is truncated")
    assert (row["file"], row["trust"], row["error"]) == ("broken.jpg", "no", "it is truncated")


def test_the_log_says_how_many_are_named_and_why_files_cannot_be_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    named_ones = names_table(
        decision_rule(), ["a.jpg", "b.jpg"], np.log([[0.9, 0.05, 0.05], [0.4, 0.2, 0.4]])
    )
    reasons = ["it is empty", *(f"reason {number}" for number in range(6)), "it is empty"]
    broken = [unreadable_row(f"{n}.png", reason) for n, reason in enumerate(reasons)]
    with caplog.at_level("INFO"):
        log_names(pd.concat([named_ones, pd.DataFrame(broken)], ignore_index=True))
    assert caplog.messages == [
        """10 photographs: 1 named and trusted, 1 "don't know", 8 unreadable""",
        "'0.png' and 1 other: it is empty",
        *(f"'{n}.png': reason {n - 1}" for n in range(1, 5)),
        "2 other reasons: see 'error' in names.csv",
    ]


def test_rows_of_boxes_are_not_called_photographs(caplog: pytest.LogCaptureFixture) -> None:
    animal = names_table(decision_rule(), ["a.jpg#xywh=1,2,3,4"], np.log([[0.9, 0.05, 0.05]]))
    empty = row_without_animal("b.jpg", "it has no box")
    wrong = unreadable_row("a.jpg#line 3", "it is empty", BAD_BOX)
    others = pd.DataFrame([empty, wrong])
    table = pd.concat([animal.assign(frame="a.jpg"), others], ignore_index=True)
    with caplog.at_level("INFO"):
        log_names(table.fillna({"frame": ""}))
    assert caplog.messages == [
        """3 rows: 1 named and trusted, 0 "don't know", 1 with an error, 1 without an animal""",
        "'a.jpg#line 3': it is empty",
    ]
    assert table["answer"].iloc[1] == "no animal"
    assert table["why"].tolist()[1:] == [
        "no animal found: it has no box",
        "the box cannot be used",
    ]


def test_a_track_record_is_of_every_name_of_every_rank() -> None:
    probabilities = np.eye(3)[[0, 0, 1, 2]]
    labels = np.array([0, 1, 1, 2])
    ranks = [
        Rank("species", tuple(SPECIES), np.arange(3)),
        Rank("genus", ("noctua", "xestia"), np.array([0, 0, 1])),
    ]
    found = track_record(probabilities, labels, ranks, np.array([5, 4, 3]), 0.95)
    pronuba = found["species"]["noctua_pronuba"]
    assert (pronuba["named"], pronuba["right"], pronuba["test_images"]) == (2, 1, 1)
    assert (pronuba["precision"], pronuba["recall"]) == (0.5, 1.0)
    # The exact interval of 1 of 2: 1 - sqrt(0.975) and sqrt(0.975).
    assert (pronuba["low"], pronuba["high"]) == (
        pytest.approx(0.0126, abs=1e-4),
        pytest.approx(0.9874, abs=1e-4),
    )
    noctua = found["genus"]["noctua"]
    assert (noctua["precision"], noctua["train_images"], noctua["test_images"]) == (1.0, 9, 3)
    never = track_record(probabilities[:1], labels[:1], ranks, np.array([5, 4, 3]), 0.95)
    assert never["species"]["xestia_baja"]["precision"] is None
    assert never["species"]["xestia_baja"]["recall"] is None


def test_what_gets_no_genus_is_in_no_track_record() -> None:
    rank = Rank("genus", ("xestia",), np.array([NO_GROUP, NO_GROUP, 0]))
    probabilities = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.2, 0.2, 0.6], [0.3, 0.4, 0.3]])
    labels = np.array([0, 1, 2, 2])
    found = track_record(probabilities, labels, [rank], np.array([5, 4, 3]), 0.95)["genus"]
    xestia = found["xestia"]
    assert (xestia["named"], xestia["right"], xestia["test_images"]) == (2, 1, 2)
    assert (xestia["train_images"], xestia["precision"], xestia["recall"]) == (3, 0.5, 0.5)


def test_no_threshold_is_fitted_on_what_gets_no_genus(make_trial: Callable[..., Trial]) -> None:
    """The first two species, which are confused, have no genus; none of them is an answer."""
    found = described(make_trial, 300, taxonomy=PARTIAL)
    genus = found["thresholds"]["genus"]
    assert (genus["images"], genus["threshold"]) == (0, None)
    assert "96 that have a species and 189 that most probably have no known genus" in genus["note"]


def described(
    make_trial: Callable[..., Trial], images: int, error_rate: float | None = 0.1, **changes: Any
) -> dict[str, Any]:
    """A recognizer that confuses the first two species and never the third."""
    generator = np.random.default_rng(0)
    labels = np.arange(images) % 3
    logits = np.where(np.eye(3)[labels] > 0, 4.0, 0.0) + generator.normal(0, 0.3, (images, 3))
    mixed = labels < 2
    logits[mixed, :2] = 4 + generator.normal(0, 0.3, (int(mixed.sum()), 2))
    evaluated = LabelledLogits(logits, labels)
    counts = np.array([5, 4, 3])
    stated = PriorAndTaxonomy(np.full(3, 1 / 3), "as many of each", TAXONOMY, [])
    stated = PriorAndTaxonomy(**{**vars(stated), **changes})
    learnt, none = np.repeat(np.arange(3), counts), np.arange(0)
    split = Split(np.arange(len(learnt)), learnt, none, none, 3)
    losses = LossSchedule(CanonicalLoss(offsets=np.log(counts)))
    trained = TrainedTrial(
        job=TrainingJob(make_trial(), split, losses),
        fingerprint="f" * 64,
        is_tail=np.array([False, False, True]),
        class_names=SPECIES,
        image_size=32,
    )
    return make_recognizer(
        trained,
        HeldOutLogits(evaluated, evaluated, "balanced", None),
        stated,
        Predict(error_rate=error_rate),
    )


def test_a_recognizer_trusts_each_rank_where_it_is_certified(
    make_trial: Callable[..., Trial],
) -> None:
    found = described(make_trial, 300)
    assert found["thresholds"]["genus"]["threshold"] is not None
    of = DecisionRule.of(found)
    table = names_table(of, ["third", "mixed"], np.array([[0, 0, 4.0], [4.0, 3.95, 0]]))
    assert table["answer"].tolist()[0] == "xestia_baja"
    assert table["answer"].tolist()[1] == "noctua"
    np.testing.assert_allclose(found["assumed_prior"], [1 / 3] * 3)
    assert found["track_record"]["xestia_baja"]["recall"] == 1
    assert found["input_size"] == 16 and found["image_size"] == 32


def test_a_small_validation_set_certifies_nothing_and_says_so(
    make_trial: Callable[..., Trial],
) -> None:
    found = described(make_trial, images_needed(0.1, 0.95) - 1)
    assert found["thresholds"]["species"]["threshold"] is None
    assert "too few to certify at most 10% wrong" in found["thresholds"]["species"]["note"]


def test_without_a_stated_error_rate_the_first_that_names_something_is_taken(
    make_trial: Callable[..., Trial],
) -> None:
    """Of the first two species half of the names are wrong, of the third none and all genera."""
    found = described(make_trial, 300, error_rate=None)
    assert found["error_rate"] == 0.05
    assert found["error_rate_is"] == (
        "predict.error_rate is not set: the first of 5%, 10%, 15%, and 20% at which any name can "
        "be trusted"
    )
    few = described(make_trial, 36, error_rate=None)
    assert few["error_rate"] > 0.05
    stated = described(make_trial, 36, error_rate=few["error_rate"])
    assert few["thresholds"] == stated["thresholds"]
    assert stated["error_rate_is"] == "as predict.error_rate says"
    none = described(make_trial, 6, error_rate=None)
    assert none["error_rate"] == 0.2
    assert none["error_rate_is"] == (
        "predict.error_rate is not set, and no name can be trusted at 5%, 10%, 15%, and 20%"
    )
    assert all(of["threshold"] is None for of in none["thresholds"].values())


def test_the_ladder_counts_what_each_error_rate_names(make_trial: Callable[..., Trial]) -> None:
    found = described(make_trial, 300)
    assert [rung["error_rate"] for rung in found["ladder"]] == [0.01, 0.05, 0.1, 0.15, 0.2]
    own = {rank: of["threshold"] for rank, of in found["thresholds"].items()}
    assert found["ladder"][2]["thresholds"] == own
    table = names_table(
        DecisionRule.of(found), ["third", "mixed"], np.array([[0, 0, 4.0], [4.0, 3.95, 0]])
    )
    table = pd.concat([table, pd.DataFrame([unreadable_row("broken", "empty")])])
    rungs = names_at_each_rate(found["ladder"], table)
    at_ten = rungs[2]
    assert (dict(at_ten.named), at_ten.unnamed) == ({"species": 1, "genus": 1}, 0)
    named = [sum(rung.named.values()) for rung in rungs]
    assert named == sorted(named)
    assert {sum(rung.named.values()) + rung.unnamed for rung in rungs} == {2}


def test_no_validation_image_at_all(make_trial: Callable[..., Trial]) -> None:
    found = described(make_trial, 0)
    assert found["temperature"] == 1
    assert found["unknown"]["threshold"] is None
    assert found["thresholds"]["species"]["threshold"] is None


def test_species_that_cannot_occur_are_in_no_track_record(
    make_trial: Callable[..., Trial],
) -> None:
    found = described(make_trial, 300, prior=np.array([0.5, 0, 0.5]))
    assert found["track_record"]["noctua_fimbriata"]["test_images"] == 0
    # Without the one that it was confused with, the first is always right.
    assert found["track_record"]["noctua_pronuba"]["precision"] == 1
    assert found["thresholds"]["species"]["images"] <= 200


def test_probability_of_all_species_together_is_not_above_one() -> None:
    rank = Rank("genus", ("noctua",), np.array([0]))
    best = BestGroup.of(rank, np.array([[1.0000000000000002]]))
    assert best.probability.tolist() == [1.0]
