"""A flipped bit in any file that a run has written is refused by name, or changes nothing.

The files are those that runs really wrote: a new kind of file fails the first test until a way to
verify it is stated here.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from kedro.framework.startup import bootstrap_project
from mlflow import MlflowClient

from longtail.commands.lock import make_lock, regenerate
from longtail.commands.prune import prune
from longtail.config import ConfigurationOptions
from longtail.errors import DataError, LongtailError, TrainingError, TrialsFailedError
from longtail.kedro_internals import path_of
from longtail.learning.training.checkpoint import Checkpoint
from longtail.storage.files import checksum_file, matches_checksum
from tests.damage import flip_bit
from tests.pipelines.support import PROJECT, Run, catalog, dotted, pipelines, run
from tests.sketches import sketched
from tests.sources.photographs import folder_of

GRID = (
    "grid.train_sets=[long_tailed]",
    "grid.backbones=[convnext_micro]",
    "grid.methods=[softmax,ldam,balanced_softmax]",
    "recipe.epochs=2",
)
STOPPED = "balanced_softmax"
SPECIES = ("Apamea crenata", "Noctua comes", "Noctua pronuba")
VERSION = r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z"
FINGERPRINT, KEY = "[0-9a-f]{64}", "[0-9a-f]{16}"
# What is not a version of the catalog, and what finds damage to it.
OTHERS = {
    rf"06_models/store/{FINGERPRINT}/(model\.safetensors|copies\.json)": "checksums.json",
    rf"06_models/store/{FINGERPRINT}/(history\.csv|card\.json)": "checksums.json",
    rf"06_models/store/{FINGERPRINT}/checksums\.json": "copies.json, or computed again",
    rf"06_models/store/{FINGERPRINT}\.checkpoint": "the checksum at its end",
    rf"06_models/store/{FINGERPRINT}\.{KEY}\.logits/(logits\.npy|checksums\.json)": "the latter",
    rf"01_raw/decoded/moths-{KEY}/segment-\d+\.npy": "the journal has a checksum for each image",
    rf"01_raw/decoded/moths-{KEY}/journal\.sqlite": "each row has a checksum",
    rf"01_raw/decoded/moths-{KEY}/(counter|in-hand)": "a lost number or mark changes no image",
    rf"(01_raw/decoded/moths-{KEY}/lock|06_models/store/locks/{FINGERPRINT}\.lock)": "empty",
    rf"07_model_output/named_before/{KEY}\.npz": "the checksums of a zip file",
    r"\.runs/lock": "empty",
}


@dataclass
class Written:
    """What runs have written.

    Attributes:
        data: the data folder.
        photographs: the folder that was read.
        lock: of the report.
    """

    data: Path
    photographs: Path
    lock: Path
    parameters: dict[str, Any] = field(default_factory=lambda: dotted(*GRID))

    def files(self) -> list[Path]:
        return sorted(file for file in self.data.rglob("*") if file.is_file())

    def run(self, stage: str, data: Path | None = None, **more: Any) -> Run:
        return run(data or self.data, self.parameters | more, stages=[stage])

    def ingest(self, data: Path) -> Run:
        source = f"datasets.moths.source.path={self.photographs}"
        given = dotted("grid.datasets=[moths]", source, "datasets.moths.source.image_size=32")
        return run(data, given, stages=["ingest"])

    def predict(self) -> Run:
        return self.run("predict", predict={"path": str(self.photographs)})

    def remove_later(self, than: list[Path]) -> None:
        """Remove the files that were written since there were these."""
        for file in set(self.files()) - set(than):
            file.unlink()


@pytest.fixture(scope="module")
def written(tracking: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> Written:  # noqa: ARG001
    """Every stage, of two finished trials and one that was stopped after its first epoch."""
    folder = tmp_path_factory.mktemp("written")
    made = Written(
        folder / "data",
        folder_of(folder / "photographs", dict.fromkeys(SPECIES, 9)),
        folder / "lock.yml",
    )
    save = Checkpoint.save

    def stop(checkpoint: Checkpoint, state: dict[str, Any]) -> None:
        save(checkpoint, state)
        if STOPPED in checkpoint.trial:
            raise TrainingError("stopped")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "save", stop)
        patch.setattr(Checkpoint, "is_due", lambda _: True)
        assert isinstance(made.run("full").error, TrialsFailedError)
    for ended in (made.ingest(made.data), made.predict(), made.run("export")):
        assert ended.error is None
    with project():
        options = ConfigurationOptions("test", {"data": str(made.data)} | made.parameters)
        make_lock(options, made.lock)
    return made


@contextlib.contextmanager
def project() -> Iterator[None]:
    bootstrap_project(PROJECT)
    with contextlib.chdir(PROJECT), sketched():
        yield


def in_project(command: Callable[..., None], *arguments: Any, **options: Any) -> str:
    """The message of the error that ends a command; empty if there is none."""
    with project():
        try:
            command(*arguments, **options)
        except LongtailError as error:
            return str(error)
    return ""


def options_of(written: Written) -> ConfigurationOptions:
    return ConfigurationOptions("test", {"data": str(written.data)})


def versions_of_the_catalog(written: Written) -> dict[Path, str]:
    """The folder of the versions of each dataset, with its name."""
    made = catalog("test", data=str(written.data), **written.parameters)
    stages = pipelines("test", **written.parameters)
    names = set.union(*(set(stages[stage].datasets()) for stage in ("full", "predict", "export")))
    names |= {f"moths_{name}" for name in ("images", "index", "rejected", "source")}
    return {path_of(dataset): name for name, dataset in made.versioned(names).items()}


def test_every_file_that_a_run_writes_is_one_whose_damage_is_found(written: Written) -> None:
    known, unknown = versions_of_the_catalog(written), []
    for file in written.files():
        path = file.relative_to(written.data).as_posix()
        version = re.fullmatch(VERSION, file.parent.name) is not None
        if version and file.parents[1] in known:
            data = file.parents[1].name
            assert file.name in (data, checksum_file(Path(data)).name)
            assert checksum_file(file.with_name(data)).is_file()
        elif not any(re.fullmatch(pattern, path) for pattern in OTHERS):
            unknown.append(path)
    assert unknown == []
    for pattern in OTHERS:
        assert any(re.fullmatch(pattern, str(f.relative_to(written.data))) for f in written.files())


def test_a_damaged_version_of_any_dataset_is_refused(written: Written) -> None:
    loads = catalog("test", data=str(written.data), **written.parameters)
    refused = 0
    for folder, name in versions_of_the_catalog(written).items():
        for file in folder.glob("*/*"):
            if file.name != folder.name or not loads.exists(name):
                continue
            with flipped(file):
                for version in (None, file.parent.name):
                    with pytest.raises(DataError) as told:
                        loads.load(name, version)
                    assert f"{file} cannot be read: it is not what was saved" in str(told.value)
            with flipped(checksum_file(file), 10), pytest.raises(DataError, match=file.name):
                loads.load(name)
            refused += 1
    assert refused > 100


@contextlib.contextmanager
def flipped(file: Path, position: int | None = None) -> Iterator[None]:
    """One bit of a file, by default in its middle, is flipped within the block."""
    content = file.read_bytes()
    with file.open("r+b") as same:  # it may have been replaced at the end, but for its other names
        flip_bit(file, position)
        try:
            yield
        finally:
            same.write(content)


def of_one_name(files: Iterable[Path]) -> list[Path]:
    """One name of each file that has contents, since several may be links to one."""
    found = {file.stat().st_ino: file for file in files if file.is_file() and file.stat().st_size}
    return list(found.values())


def test_a_full_run_on_damaged_files_gives_the_same_results(
    written: Written, tmp_path: Path
) -> None:
    """All at once: trainings, their checksums and copies, logits, the checkpoint, versions."""
    whole, damaged = (shutil.copytree(written.data, tmp_path / name) for name in ("a", "b"))
    for file in of_one_name(damaged.rglob("*")):
        flip_bit(file)
    expected, again = written.run("full", whole), written.run("full", damaged)
    assert expected.error is None and again.error is None
    for name in ("results", "comparisons", "class_confusions", "index", "images", "subsets"):
        name = f"digits_{name}"  # noqa: PLW2901
        assert again.made[name].read_bytes() == expected.made[name].read_bytes(), name
    models = "06_models/store/*/model.safetensors"
    trained = {file.parent.name: file.read_bytes() for file in whole.glob(models)}
    assert len(trained) == 3
    found = {file.parent.name: file.read_bytes() for file in damaged.glob(models)}
    assert {name: found[name] for name in trained} == trained
    # Nothing was deleted: what could not be repaired was set aside.
    assert {name.removesuffix(".damaged1") for name in found if name not in trained} < set(trained)


# A number that is skipped, and a photograph that is decoded in a process of its own.
HARMLESS = ("counter", "in-hand")


def test_what_ingest_replaces_is_named_and_no_damage_stays(
    written: Written, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    [images] = (written.data / "01_raw/moths/images.npy").glob("*/images.npy")
    [index] = (written.data / "01_raw/moths/index.csv").glob("*/index.csv")
    raw = (written.data / "01_raw" / name for name in ("decoded", "moths"))
    stored = of_one_name(file for folder in raw for file in sorted(folder.rglob("*")))
    for number, kind in enumerate(stored):
        data = shutil.copytree(written.data / "01_raw", tmp_path / str(number) / "01_raw").parent
        damaged = data / kind.relative_to(written.data)
        flip_bit(damaged)
        caplog.clear()
        ended = written.ingest(data)
        assert ended.error is None
        assert ended.made["moths_images"].read_bytes() == images.read_bytes(), kind
        assert ended.made["moths_index"].read_bytes() == index.read_bytes(), kind
        named = damaged.with_name(damaged.name.removeprefix(".").removesuffix(".sha256"))
        assert kind.name in HARMLESS or str(named) in caplog.text, kind
        assert all(map(matches_checksum, data.glob("01_raw/moths/*/*/[!.]*"))), kind


class Opened:
    """Records the files of a folder that are opened for reading."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.files: set[Path] = set()
        sys.addaudithook(self._hear)  # which cannot be removed

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and self.folder and str(arguments[0]).startswith(self.folder):
            self.files.add(Path(str(arguments[0])))


opened = Opened()


def read_by(data: Path, command: Callable[[], Any]) -> set[Path]:
    """The files of a data folder, locks excepted, that a command opens."""
    before = {file for file in data.rglob("*") if file.is_file() and file.stat().st_size}
    opened.folder, opened.files = str(data), set()
    try:
        command()
    finally:
        opened.folder = None
    return opened.files & before


@pytest.fixture
def only_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports are the weights alone: to trace a model and to register it takes most of the time."""

    def weights(model: torch.nn.Module, _: Any) -> bytes:
        return b"".join(value.numpy().tobytes() for value in model.state_dict().values())

    monkeypatch.setattr("longtail.learning.inference.export.export_program", weights)
    monkeypatch.setattr("longtail.hooks.mlflow.register_exported", lambda *_: None)


@pytest.mark.usefixtures("only_weights")
@pytest.mark.parametrize("stage", ["report", "predict", "export"])
def test_a_stage_refuses_each_damaged_file_that_it_reads_and_needs_no_other(
    stage: str, written: Written
) -> None:
    def command() -> Run:
        return written.predict() if stage == "predict" else written.run(stage)

    outputs = {
        "report": ["digits_scores", "digits_species", "report.digits.results"],
        "predict": ["digits_names", "digits_names_page", "digits_recognizer"],
        "export": ["digits_recognizer", "digits_exported"],
    }[stage]

    def results(of: Run) -> list[bytes]:
        assert of.error is None
        return [of.made[name].read_bytes() for name in outputs]

    before, ended = written.files(), list[Run]()
    read = read_by(written.data, lambda: ended.append(command()))
    expected = results(ended[0])
    written.remove_later(before)
    # Older versions of what it makes are only compared with the new ones.
    made = {file.parents[1] for file in ended[0].made.values()}
    read = {file for file in read if file.parents[1] not in made}
    read_content = {file.stat().st_ino for file in read}
    others = [file for file in of_one_name(before) if file.stat().st_ino not in read_content]
    with contextlib.ExitStack() as stack:
        for file in others:
            stack.enter_context(flipped(file))
        assert results(command()) == expected
    written.remove_later(before)
    named = [file for file in read if not file.name.endswith(".sha256")]
    assert len(named) >= {"report": 10, "predict": 8, "export": 7}[stage]
    for file in named:
        with flipped(file):
            damaged = command()
            if damaged.error is None:
                assert results(damaged) == expected, file
        written.remove_later(before)
        if damaged.error is not None:
            message = str(damaged.error)
            assert str(file) in message or f"digits_images (version {file.parent.name})" in message
            assert "kedro run" in message
    assert written.files() == before  # a reader never deletes


def test_a_damaged_file_is_not_locked(written: Written, tmp_path: Path) -> None:
    given = {"data": str(written.data)} | written.parameters
    for pattern in (
        "06_models/digits/*/*/softmax/*/model.safetensors",
        "08_reporting/*/report.html",
    ):
        [file] = written.data.glob(f"{pattern}/*/{Path(pattern).name}")
        with flipped(file):
            message = in_project(
                make_lock, ConfigurationOptions("test", given), tmp_path / "lock.yml"
            )
        assert str(file.relative_to(written.data)) in message
    assert not (tmp_path / "lock.yml").exists()


def test_a_damaged_lock_is_refused_by_name(written: Written, tmp_path: Path) -> None:
    lock = Path(shutil.copy(written.lock, tmp_path / "lock.yml"))
    for position in range(300, lock.stat().st_size, lock.stat().st_size // 25):
        lock.write_bytes(written.lock.read_bytes())
        flip_bit(lock, position)
        message = in_project(regenerate, options_of(written), lock)
        assert f"{lock} is not a lock that this version of longtail made" in message


def test_a_damaged_report_input_is_not_regenerated_from(written: Written) -> None:
    for name in ("results.csv", "trainings.csv"):
        [file] = (written.data / "07_model_output/digits" / name).glob(f"*/{name}")
        with flipped(file):
            message = in_project(regenerate, options_of(written), written.lock)
        assert f"{file.relative_to(written.data)} is not as it was locked" in message


def test_prune_refuses_a_damaged_card_and_removes_nothing(written: Written) -> None:
    def pruned() -> str:
        given = {"data": str(written.data)}
        return in_project(
            prune, ConfigurationOptions("test", given), 1, ask_mlflow=False, agreed=lambda _: False
        )

    read = {file for file in read_by(written.data, pruned) if file.suffix != ".sha256"}
    assert {file.name for file in read} == {"card.json", "trainings.csv", "recognizer.json"}
    before = written.files()
    for file in read:
        with flipped(file):
            assert str(file) in pruned()
    assert written.files() == before
