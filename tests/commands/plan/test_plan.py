"""A plan says exactly what a run trains, and changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.framework.startup import bootstrap_project

from longtail.commands.plan import Plan, planned
from longtail.errors import ConfigurationError, DataError
from longtail.learning.backbones import ImageClassifier, build_for_trial
from longtail.parameters import Trial
from tests.damage import flip_bit
from tests.pipelines.support import PROJECT, SMALL_TRIALS, dotted, run
from tests.projects import kedro
from tests.sources.photographs import folder_of, photograph, save

SOFTMAX, LDAM = SMALL_TRIALS
STORE = "06_models/store"
BASE = ("grid.train_sets=[long_tailed]", "grid.backbones=[convnext_micro]")
TWO = (*BASE, "grid.methods=[softmax,ldam]")


def nothing(_: Path) -> None:
    """Leave the data folder as it is."""


def training_of(data: Path, trial: str) -> Path:
    """The folder of the training that the newest card of a trial names."""
    cards = data / "06_models" / trial.replace(".", "/") / "card.json"
    newest = max(cards.iterdir()) / "card.json"
    return data / STORE / str(json.loads(newest.read_text())["fingerprint"])


def remove_ldam(data: Path) -> None:
    shutil.rmtree(training_of(data, LDAM))


def damage_weights_of_softmax(data: Path) -> None:
    flip_bit(training_of(data, SOFTMAX) / "model.safetensors")


def damage_card_of_softmax(data: Path) -> None:
    """It is restored from its copy."""
    flip_bit(training_of(data, SOFTMAX) / "card.json")


def remove_both(data: Path) -> None:
    for trial in SMALL_TRIALS:
        shutil.rmtree(training_of(data, trial))


# In this order in one folder: the parameters, what happens to the folder before, how many trainings
# there are, and how many of them run.
CHANGES: list[tuple[tuple[str, ...], Callable[[Path], None], int, int]] = [
    (TWO, nothing, 2, 2),
    (TWO, nothing, 2, 0),
    ((*TWO, "methods.ldam.loss.max_margin=0.25"), nothing, 2, 1),
    ((*TWO, "methods.ldam.label=Margin"), nothing, 2, 0),
    ((*TWO, "statistics.confidence=0.9", "compute.threads=2"), nothing, 2, 0),
    ((*TWO, "recipe.weight_decay=0.1"), nothing, 2, 2),
    ((*TWO, f"train.{SOFTMAX}.trial.recipe.learning_rate=0.001"), nothing, 2, 1),
    ((*TWO, "grid.seeds=[0,1]"), nothing, 4, 2),
    # The adjustment is of logits; the first stage of crt is softmax.
    ((*BASE, "grid.methods=[softmax,softmax_adjusted]"), nothing, 1, 0),
    ((*BASE, "grid.methods=[crt,softmax]"), nothing, 2, 1),
    # On equal class counts both losses are the same.
    (
        ("grid.train_sets=[balanced]", BASE[1], "grid.methods=[softmax,balanced_softmax]"),
        nothing,
        1,
        1,
    ),
    ((*TWO, "datasets.digits.imbalance.profile.imbalance_factor=5"), nothing, 2, 2),
    ((*TWO, "datasets.digits.source.image_size=64"), nothing, 2, 2),
    (TWO, nothing, 2, 0),
    (TWO, remove_ldam, 2, 1),
    (TWO, damage_weights_of_softmax, 2, 1),
    (TWO, damage_card_of_softmax, 2, 0),
    ((*BASE, "grid.methods=[crt]"), remove_both, 1, 0),
    ((*BASE, "grid.methods=[crt]", "methods.crt.second_stage.learning_rate=0.5"), nothing, 2, 2),
]


@pytest.fixture(autouse=True)
def in_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)


def plan_of(data: Path, *changes: str, **options: Any) -> Plan:
    params = dotted(*changes) | {"data": str(data)}
    return planned({"env": "test", "params": params, **options})


def stored_at(data: Path) -> dict[str, int]:
    """When each stored training was written, by fingerprint."""
    files = (data / STORE).glob("*/model.safetensors")
    times = {file.parent.name: file.stat().st_mtime_ns for file in files}
    return {name: time for name, time in times.items() if "." not in name}


def contents(data: Path) -> dict[Path, tuple[int, int]]:
    files = (path for path in data.rglob("*") if path.is_file())
    return {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in files}


@pytest.fixture(scope="module")
def mlflow(mlflow_uri: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
        yield


@pytest.mark.usefixtures("mlflow")
def test_a_run_trains_what_its_plan_says(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for changes, happens, count, new in CHANGES:
        happens(data)
        before, stored = contents(data), stored_at(data)
        plan = plan_of(data, *changes)
        assert contents(data) == before, changes
        assert len(plan.trainings) == count, changes
        assert len(plan.new) == new, changes
        cards = [f"train.{trial}.card" for trial in plan.trials]
        ended = run(data, dotted(*changes), to_outputs=cards)
        assert ended.error is None
        now = stored_at(data)
        trained = {name for name, written in now.items() if stored.get(name) != written}
        assert trained == {training.fingerprint for training in plan.new}, changes


@pytest.mark.usefixtures("mlflow")
def test_a_plan_says_what_is_stale_and_what_stays_so(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert run(data, dotted(*TWO), stages=["ingest", "imbalance", "train"]).error is None
    adjusted = ("methods.softmax.post_hoc={kind: logit_adjustment, tau: 1}",)
    plan = plan_of(data, *TWO, *adjusted, pipelines=["train"])
    assert not plan.new
    [(reason, trials)] = plan.stale.items()
    assert "methods.softmax.post_hoc" in reason
    assert trials == [SOFTMAX]
    assert plan.left_out == ("report",)
    with pytest.raises(
        DataError, match="the stored results of 1 trial were made with other parameters"
    ):
        plan_of(data, *TWO, *adjusted, pipelines=["report"])
    with pytest.raises(DataError, match="digits_results has no trial of the grid"):
        plan_of(data, *TWO, "grid.seeds=[7]", pipelines=["report"])
    assert not plan_of(data, *TWO, pipelines=["report"]).trials
    params = ",".join([f"data={data}", *TWO, "recipe.epochs=2"])
    result = kedro(PROJECT, "plan", "--env=test", f"--params={params}", "--tags=ldam")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    first = lines.index(
        "1 trial needs 1 training, since equal ones are done once: 1 to train, 0 reused"
    )
    assert lines[first + 1 : first + 4] == [
        "To train:",
        "  recipe.epochs was 1, is 2:",
        "    digits.long_tailed.convnext_micro: ldam (seed 0)",
    ]
    assert lines[-1] == f"Start it: kedro run --env=test '--params={params}' --tags=ldam"


def test_images_that_are_not_decoded_are_named(tmp_path: Path) -> None:
    folder_of(tmp_path / "images", {"a": 20, "b": 20, "c": 20})
    source = (
        "grid.datasets=[moths]",
        "grid.train_sets=[natural]",
        f"datasets.moths.source.path={tmp_path}/images",
        "datasets.moths.source.image_size=32",
        "datasets.moths.imbalance.holdout={kind: per_class, test: 5, validation: 5}",
    )
    data = tmp_path / "data"
    plan = plan_of(data, *BASE, *source)
    assert plan.unread == {"moths": "60 images are new or changed and would be decoded first"}
    assert plan.times == {}
    assert plan.trainings == ()
    assert not data.exists()
    assert run(data, dotted(*BASE, *source), stages=["ingest"]).error is None
    before = contents(data)
    plan = plan_of(data, *BASE, *source)
    assert contents(data) == before
    assert plan.unread == {}
    assert len(plan.new) == 2  # the classes are equal, so balanced softmax is softmax
    assert run(data, dotted(*BASE, *source), stages=["imbalance"]).error is None
    save(tmp_path / "images", "a/new.png", photograph(99))
    plan = plan_of(data, *BASE, *source)
    assert plan.unread == {"moths": "1 image is new or changed and would be decoded first"}
    assert plan.times == {"moths": None}
    (tmp_path / "images/a/new.png").unlink()
    assert run(data, dotted(*BASE, *source), stages=["train"]).error is None
    save(tmp_path / "images", "a/new.png", photograph(99))
    expected = plan_of(data, *BASE, *source).times["moths"]
    assert expected is not None
    cards = [json.loads(file.read_text()) for file in (data / STORE).glob("*/card.json")]
    seconds = [card["seconds"] for card in cards]
    assert min(seconds) <= expected.high and expected.low <= sum(seconds)


def test_external_predictions_are_checked_as_the_run_does(tmp_path: Path) -> None:
    file = tmp_path / "theirs.csv"
    theirs = f"methods.theirs={{label: Theirs, external: {{path: {file}}}}}"
    grid = (*BASE, "grid.methods=[softmax,theirs]", theirs)
    classes = [str(digit) for digit in range(10)]
    rows = pd.DataFrame(0.0, index=range(1797), columns=classes).rename_axis("image").reset_index()
    data = tmp_path / "data"
    for written, wrong in (
        (rows, None),
        (rows.iloc[:0], "no row for"),
        (pd.concat([rows, rows]), "several rows of the same image: '0', '1', '2', and 1,794 more"),
        (rows.drop(columns="3"), "no column for '3'"),
    ):
        written.to_csv(file, index=False)
        if wrong is None:
            assert plan_of(data, *grid).unchecked == ()
        else:
            with pytest.raises(DataError) as raised:
                plan_of(data, *grid)
            assert f"methods.theirs.external.path: {file} has {wrong}" in str(raised.value)
    folder_of(tmp_path / "images", {"a": 20, "b": 20, "c": 20})
    source = (
        "grid.datasets=[moths]",
        "grid.train_sets=[natural]",
        f"datasets.moths.source.path={tmp_path}/images",
    )
    assert plan_of(data, *grid, *source).unchecked == ("theirs",)


@pytest.mark.parametrize("cross_fitting", ["frozen", "always", "never"])
def test_a_plan_of_predict_says_what_it_trains(cross_fitting: str, tmp_path: Path) -> None:
    folder_of(tmp_path / "new", {"night": 1})
    predict = (f"predict.path={tmp_path}/new", "predict.folds=3")
    changes = (*TWO, *predict, f"predict.cross_fitting={cross_fitting}")
    plan = plan_of(tmp_path / "data", *changes, pipelines=["full", "predict"])
    trains = None if plan.predict is None else (plan.predict.cross_fitting, plan.predict.folds)
    assert trains == (None if cross_fitting == "never" else (cross_fitting, 3))
    assert plan_of(tmp_path / "data", *changes, pipelines=["full"]).predict is None


def test_the_thesis_is_planned_without_its_images_and_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four backbones: on equal class counts three of the seven losses differ."""
    built: list[Trial] = []

    def noted(trial: Trial, *arguments: Any, **options: Any) -> ImageClassifier:
        built.append(trial)
        return build_for_trial(trial, *arguments, **options)

    monkeypatch.setattr("longtail.learning.backbones.build_for_trial", noted)
    monkeypatch.setattr("longtail.learning.backbones.pretrained.is_local", lambda _: False)
    plan = planned({"env": "thesis", "params": {"data": str(tmp_path / "data")}})
    assert len(plan.trials) == 56
    assert len(plan.new) == len(plan.trainings) == 4 * (3 + 7)
    assert len(built) <= 4 * 2  # linear and cosine classifiers
    assert plan.downloads[0] == "the images of cifar100"
    assert len(plan.downloads) == 5
    assert plan.estimate.here is None
    assert plan.estimate.on_h200 is not None
    images = 20 * (3 * 50_000 + 7 * 10_847)
    rates = [(5_032, 5_055), (4_615, 5_584), (2_701, 3_600), (1_378, 1_966)]
    assert plan.estimate.on_h200.low == pytest.approx(sum(images / fast for _, fast in rates))
    assert plan.estimate.gpu_gigabytes == 17.0
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("architecture", "changes", "wanted"),
    [
        ("nope_net", (), "backbones.vit_micro.architecture: unknown architecture 'nope_net'."),
        (
            "resnet18",
            ("backbones.vit_micro.options.zzz=1",),
            "backbones.vit_micro: resnet18 with options {'zzz': 1} cannot be used: ",
        ),
        (
            "vit_tiny_patch16_224",
            (f"backbones.vit_micro.options.embed_dim={2**62}",),
            f"backbones.vit_micro: vit_tiny_patch16_224 with options {{'embed_dim': {2**62}}} "
            f"cannot be used: ",
        ),
        (
            "densenet121",
            ("methods.softmax.experts.count=3",),
            "train.digits.long_tailed.vit_micro.softmax.seed0.trial: method.experts.shared: the "
            "network cannot be divided into experts at 0.375 of its layers",
        ),
    ],
)
def test_networks_that_a_run_refuses_are_refused(
    architecture: str, changes: tuple[str, ...], wanted: str, tmp_path: Path
) -> None:
    grid = ("grid.train_sets=[long_tailed]", "grid.backbones=[vit_micro]", "grid.methods=[softmax]")
    network = f"backbones.vit_micro.architecture={architecture}"
    with pytest.raises(ConfigurationError) as raised:
        plan_of(tmp_path / "data", *grid, network, *changes)
    assert str(raised.value).startswith(wanted)
    assert "\n" not in str(raised.value)
