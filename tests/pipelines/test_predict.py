"""`kedro run --pipelines=predict` on digits, from files to names."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from PIL import Image

from longtail.errors import ConfigurationError, DataError, LongtailError
from longtail.learning.inference import cached_logits
from longtail.learning.inference.cached_logits import compute_logits
from longtail.naming.answers_table import DONT_KNOW
from longtail.storage.files import write_checksum
from longtail.trials.fingerprint import sha256_of_arrays
from tests.pipelines.support import TRAINING, Run, dotted, pipelines, predictions_of, run
from tests.records.exif_files import with_exif

SMALL = (
    "grid.train_sets=[long_tailed]",
    "grid.backbones=[mobilenetv2_micro]",
    "grid.methods=[softmax,balanced_softmax]",
)
TRAINED_WELL = ("recipe.epochs=12", "recipe.batch_size=32")
TRIAL = "digits.long_tailed.mobilenetv2_micro.balanced_softmax.seed0"


@pytest.fixture(scope="module")
def trained(tracking: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> Run:  # noqa: ARG001
    given = dotted(*SMALL, *TRAINED_WELL)
    ended = run(tmp_path_factory.mktemp("trained"), given, stages=TRAINING)
    assert ended.error is None
    return ended


@pytest.fixture(scope="module")
def photographs(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits that were held out for testing, as files of several folders, and broken ones."""
    folder = tmp_path_factory.mktemp("photographs")
    subsets, index = trained.load("digits_subsets"), trained.load("digits_index")
    test = subsets.loc[subsets["name"] == "balanced", ["role", "image"]]
    test = test.loc[test["role"] == "test", "image"].to_numpy()[::5]
    pixels = trained.load("digits_images")
    for image in test:
        of_class = folder / "night" / f"trap {image % 3}"
        of_class.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[image]).save(of_class / f"{index['label'][image]}_{image}.png")
    good = next(folder.rglob("*.png")).read_bytes()
    (folder / "truncated.png").write_bytes(good[: len(good) // 2])
    (folder / "text.jpg").write_text("no image")
    (folder / "phone.jxl").write_bytes(b"")
    (folder / "=cmd().png").write_bytes(b"")
    (folder / "notes.txt").write_text("no image, and no image's name")
    return folder


def predict(trained: Run, path: Path | None, *changes: str) -> Run:
    """Name photographs with other parameters than the trainings had, as users will."""
    given = [*changes] if path is None else [f"predict.path={path}", *changes]
    return run(trained.data, dotted(*given), stages=["predict"])


@pytest.fixture(scope="module")
def named(trained: Run, photographs: Path) -> Run:
    ended = predict(trained, photographs, "predict.error_rate=0.2")
    assert ended.error is None
    return ended


def names_of(ended: Run) -> pd.DataFrame:
    assert ended.error is None
    table = ended.load("digits_names")
    assert isinstance(table, pd.DataFrame)
    return table


def right_of(table: pd.DataFrame, column: str) -> float:
    """The share of right names, by the files' names."""
    true = table["file"].str.extract(r"/(\d)_", expand=False)
    return float((table[column] == true).mean())


def test_every_file_is_a_row_and_broken_ones_say_why(named: Run, photographs: Path) -> None:
    table = names_of(named)
    files = [path for path in photographs.rglob("*.*") if path.suffix != ".txt"]
    names = [path.relative_to(photographs).as_posix() for path in files]
    expected = sorted(name.split("/") for name in names)
    assert table["file"].tolist() == ["/".join(parts) for parts in expected]
    broken = table[table["error"] != ""].set_index("file")
    assert set(broken.index) == {"truncated.png", "text.jpg", "phone.jxl", "=cmd().png"}
    assert "convert it to JPEG" in str(broken.loc["phone.jxl", "error"])
    assert "truncated" in str(broken.loc["truncated.png", "error"])
    assert "not an image" in str(broken.loc["text.jpg", "error"])
    assert set(broken["trust"]) == {"no"}


def test_the_names_are_those_that_the_trial_gives_the_test_images(named: Run, trained: Run) -> None:
    """Pictures that are stored and read again are the same pixels, and so the same answers."""
    table = names_of(named)
    table = table[table["error"] == ""]
    image = table["file"].str.extract(r"_(\d+)\.png", expand=False).astype(int)
    predictions = predictions_of(trained, TRIAL).set_index("image")
    logits = predictions.loc[image].drop(columns="label").to_numpy()
    # Balanced softmax assumes a uniform prior, which is the one that is stated.
    assert table["species"].tolist() == [str(label) for label in logits.argmax(axis=1)]
    sheet = named.load("digits_recognizer")
    scaled = np.exp(logits / sheet["temperature"])
    probabilities = (scaled / scaled.sum(axis=1, keepdims=True)).max(axis=1)
    np.testing.assert_allclose(table["probability"], probabilities, rtol=1e-3)


def test_trusted_names_are_right_more_often_than_was_asked_for(named: Run) -> None:
    table = names_of(named)
    trusted = table[table["trust"] == "yes"]
    assert len(trusted) > 20
    assert set(trusted["rank"]) == {"species"}  # digits have no genus
    assert right_of(trusted, "answer") >= 0.8
    unsure = table[(table["trust"] == "no") & (table["error"] == "")]
    assert set(unsure["answer"]) == {DONT_KNOW}
    threshold = named.load("digits_recognizer")["thresholds"]["species"]["threshold"]
    assert trusted["answer_probability"].min() >= threshold - 1e-5


def test_the_page_says_what_it_is_made_of(named: Run, trained: Run) -> None:
    sheet = named.load("digits_recognizer")
    assert sheet["name"] == TRIAL  # the better of the two on validation, by balanced accuracy
    results = trained.load("digits_results")
    of_trial = results[results["method"] == "balanced_softmax"]
    assert sheet["fingerprint"] == of_trial["fingerprint"].iloc[0]
    validation = results[results["test_set"] == "validation"].set_index("method")
    figures = validation["balanced_accuracy"]
    assert figures["balanced_softmax"] > figures["softmax"]
    assert sheet["trial"]["recipe"]["epochs"] == 12
    assert (sheet["image_size"], sheet["input_size"]) == (32, 32)
    assert (sheet["test_set"], sheet["unknown"]["unknown_images"]) == ("balanced", 0)
    assert sheet["thresholds"]["species"]["images"] == pytest.approx(140, abs=8)
    right = sum(record["right"] for record in sheet["track_record"].values())
    balanced = of_trial[of_trial["test_set"] == "balanced"].iloc[0]
    assert right / 500 == pytest.approx(balanced["acc1"])
    profile = trained.load("digits_class_profile").set_index("class_name")["train_long_tailed"]
    trained_on = {name: of["train_images"] for name, of in sheet["track_record"].items()}
    assert trained_on == {str(name): count for name, count in profile.items()}


def test_the_track_record_stands_beside_the_answer(named: Run) -> None:
    table, sheet = names_of(named), named.load("digits_recognizer")
    for row in table[table["error"] == ""].to_dict("records"):
        record = sheet["track_record"][row["species"]]
        assert row["train_images"] == record["train_images"]
        assert row["precision"] == pytest.approx(record["precision"], rel=1e-5)
        assert row["precision_low"] <= row["precision"] <= row["precision_high"]


def test_the_page_shows_them_and_asks_nothing_of_the_network(named: Run, photographs: Path) -> None:
    page, table = named.load("digits_names_page"), names_of(named)
    readable = table[table["error"] == ""]
    assert page.count('<script type="text/plain"') == len(readable)
    assert "http://" not in page and "https://" not in page
    assert "truncated.png" in page
    data = page.partition('id="data">')[2].partition("</script>")[0]
    cards = json.loads(data)["cards"]
    assert [card["file"] for card in cards] == readable["file"].tolist()
    content = (photographs / cards[0]["file"]).read_bytes()
    assert cards[0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert cards[0]["folder"] == str(photographs)


def test_photographs_that_the_data_set_has_already_are_reported(
    trained: Run, named: Run, tmp_path: Path
) -> None:
    table = names_of(named)
    assert set(table.loc[table["error"] == "", "already_in"]) == {"test"}
    assert set(table.loc[table["error"] != "", "already_in"]) == {""}
    pixels, subsets = trained.load("digits_images"), trained.load("digits_subsets")
    of_set = {name: rows["image"].to_numpy() for name, rows in subsets.groupby("name")}
    cut_away = np.setdiff1d(np.arange(len(pixels)), np.concatenate([*of_set.values()]))
    changed = pixels[of_set["long_tailed"][1]].copy()
    changed[0, 0, 0] ^= 1  # not in the row that is looked up
    for name, image in {
        "learnt": pixels[of_set["long_tailed"][0]],
        "changed": changed,
        "validation": pixels[of_set["validation"][0]],
        "left over": pixels[cut_away[0]] if len(cut_away) else changed,
    }.items():
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    again = names_of(ended := predict(trained, tmp_path)).set_index("file")["already_in"]
    assert again.to_dict() == {
        "changed.png": "",
        "learnt.png": "train",
        "left over.png": "",
        "validation.png": "validation",
    }
    page = ended.load("digits_names_page")
    assert "before: of 4, 1 is in its training set and 1 is" in page


def test_photographs_that_were_named_before_are_not_computed_again(
    trained: Run, photographs: Path, named: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever they are called, and whatever rate is asked for; only_new=false computes all."""
    shutil.copytree(photographs, tmp_path / "again")
    file = next((tmp_path / "again").rglob("*_*.png"))
    first = file.relative_to(tmp_path / "again").as_posix()
    file.rename(tmp_path / "again/renamed.png")
    Image.new("RGB", (32, 32), (9, 8, 7)).save(tmp_path / "again/added.png")
    caplog.clear()
    again = names_of(predict(trained, tmp_path / "again", "predict.error_rate=0.3"))
    assert "100 photographs were named before by the same model (predict.only_new)" in caplog.text
    logits = ["species", "probability", "novelty", "already_in", "note"]
    old, new = (table.set_index("file")[logits] for table in (names_of(named), again))
    assert new.loc[["renamed.png"]].to_numpy().tolist() == old.loc[[first]].to_numpy().tolist()
    same = old.index.intersection(new.index)
    assert len(same) == len(old) - 1
    pd.testing.assert_frame_equal(new.loc[same], old.loc[same])
    caplog.clear()
    everything = names_of(predict(trained, tmp_path / "again", "predict.only_new=false"))
    assert "named before" not in caplog.text
    pd.testing.assert_frame_equal(
        everything.set_index("file")[logits], again.set_index("file")[logits]
    )


def test_held_out_images_are_evaluated_again_only_if_their_logits_are_gone(
    trained: Run, named: Run, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = []

    def counting(*args: Any) -> Any:
        computed.append(len(args[2]))
        return compute_logits(*args)

    monkeypatch.setattr(cached_logits, "compute_logits", counting)
    again = predict(trained, photographs, "predict.error_rate=0.2")
    assert again.error is None and computed == []
    for folder in (trained.data / "06_models/store").glob("*.logits"):
        shutil.rmtree(folder)
    without = predict(trained, photographs, "predict.error_rate=0.2")
    assert without.error is None and computed == [len(predictions_of(trained, TRIAL))]
    assert again.load("digits_recognizer") == named.load("digits_recognizer")
    assert without.load("digits_recognizer") == named.load("digits_recognizer")


def test_a_gallery_is_cut_with_a_note_and_the_table_is_not(trained: Run, photographs: Path) -> None:
    ended = predict(trained, photographs, "predict.gallery=10", "predict.error_rate=0.2")
    page = ended.load("digits_names_page")
    assert page.count('<script type="text/plain"') == 10
    assert "the 10 most doubtful of 100 photographs; all are in names.csv" in page
    assert len(names_of(ended)) == 104


def test_one_file_and_a_zip_file_do_as_well(
    trained: Run, photographs: Path, named: Run, tmp_path: Path
) -> None:
    file = next(photographs.rglob("*_*.png"))
    whole = names_of(named).set_index("file")
    expected = whole.loc[file.relative_to(photographs).as_posix(), "species"]
    one = names_of(predict(trained, file))
    assert one["file"].tolist() == [file.name]
    assert one["species"].tolist() == [expected]
    with ZipFile(tmp_path / "new.zip", "w") as archive:
        archive.write(file, "deep/down/x.png")
    packed = names_of(predict(trained, tmp_path / "new.zip"))
    assert packed["file"].tolist() == ["deep/down/x.png"]
    assert packed["species"].tolist() == [expected]


def test_animals_in_boxes_are_named_as_if_they_were_photographs(
    trained: Run, photographs: Path, named: Run, tmp_path: Path
) -> None:
    """Two digits side by side, each in a box, and what is not used."""
    left, right = sorted(photographs.rglob("*_*.png"))[:2]
    frame = Image.new("RGB", (80, 40))
    frame.paste(Image.open(left), (3, 4))
    frame.paste(Image.open(right), (45, 4))
    (tmp_path / "frames").mkdir()
    frame.save(tmp_path / "frames/a.png")
    frame.save(tmp_path / "frames/b.png")
    shutil.copy(left, tmp_path / "frames/c.png")  # a photograph of the data set, whole
    lines = ["file,x,y,width,height,score", "a.png,3,4,32,32,0.9", "a.png,45,4,32,32,0.8"]
    lines += ["a.png,90,4,32,32,0.8", "a.png,5,4,32,32,0.1", "c.png,8,8,16,16,0.8"]
    (tmp_path / "boxes.csv").write_text("\n".join(lines))
    boxes = [f"predict.boxes={tmp_path / 'boxes.csv'}", "predict.box_margin=0"]
    ended = predict(trained, tmp_path / "frames", *boxes, "predict.error_rate=0.2")
    table, whole = names_of(ended), names_of(named).set_index("file")
    assert table["file"].tolist() == [
        *("a.png#boxes.csv: line 4", "a.png#xywh=3,4,32,32", "a.png#xywh=45,4,32,32", "b.png"),
        "c.png#xywh=8,8,16,16",
    ]
    outside, first, second, empty, part = table.to_dict("records")
    assert part["already_in"] == "test"
    for row, file in ((first, left), (second, right)):
        expected = whole.loc[file.relative_to(photographs).as_posix()]
        assert (row["species"], row["already_in"]) == (expected["species"], "test")
        assert row["probability"] == pytest.approx(expected["probability"], rel=1e-4)
    assert (first["frame"], first["box"], first["box_confidence"]) == ("a.png", "3,4,32,32", 0.9)
    assert first["note"] == "one of 2 animals in the photograph"
    assert outside["why"] == "the box cannot be used" and "outside" in outside["error"]
    assert (empty["answer"], empty["error"]) == ("no animal", "")
    assert empty["why"] == "no animal found: it has no box"
    page = ended.load("digits_names_page")
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert [(card["file"], card["box"]) for card in data["cards"]] == [
        *(("a.png#xywh=3,4,32,32", "3,4,32,32"), ("a.png#xywh=45,4,32,32", "45,4,32,32")),
        *(("b.png", ""), ("c.png#xywh=8,8,16,16", "8,8,16,16")),
    ]
    uris = {card["uri"] for card in data["cards"] if card["frame"] == "a.png"}
    assert uris == {(tmp_path / "frames/a.png").as_uri()}
    again = predict(trained, tmp_path / "frames", *boxes, "predict.error_rate=0.2")
    pd.testing.assert_frame_equal(names_of(again), table)  # each box has its own logits again


def test_photographs_have_their_time_and_place(
    trained: Run, photographs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = next(photographs.rglob("*_*.png"))
    shutil.copy(file, tmp_path / "20240602_011500.png")
    (tmp_path / "20240602_231500.CR2").write_bytes(b"")
    with_exif(tmp_path / "a.jpg", "2020:06:01 23:15:00", image=Image.open(file))
    table = tmp_path / "deployments.csv"
    table.write_text(f"trap;lat;lon;start\n{tmp_path.name};52,5;13,4;2024-06-01\n")
    corrections = tmp_path / "corrections.csv"
    corrections.write_text(
        "file,name,by\n20240602_011500.png,7,Ann\n20240602_011500.png,Cus wix,Ann\n"
    )
    listed = tmp_path / "list.csv"
    listed.write_text("\n".join(["taxon", *map(str, range(10)), "Cus wix"]))
    asked = [f"predict.deployments={table}", "predict.time_zone=Europe/London"]
    asked.append(f"predict.species_list={listed}")
    ended = predict(trained, tmp_path, *asked, f"predict.corrections={corrections}")
    read = f"predict.species_list: '{listed}': the column 'taxon' is taken as species"
    assert caplog.messages.count(read) == 1
    found = ended.load("digits_occurrences").set_index("occurrenceID")
    named = found.loc["20240602_011500.png", ["scientificName", "identifiedBy"]]
    # It has no Latin ending: the list says that it is a scientific name.
    assert named.tolist() == ["Cus wix", "Ann"]
    names = names_of(ended).set_index("file")
    assert names["timestamp"].to_dict() == {
        "20240602_011500.png": "2024-06-02T01:15:00+01:00",
        "20240602_231500.CR2": "2024-06-02T23:15:00+01:00",
        "a.jpg": "2020-06-01T23:15:00+01:00",
    }
    assert names["night"].tolist() == ["2024-06-01", "2024-06-02", ""]
    assert set(names["deployment"]) == {tmp_path.name}
    assert set(names["latitude"]) == {52.5} and set(names["longitude"]) == {13.4}
    problems = names["capture_problem"]
    assert problems.tolist()[:2] == ["", ""]
    assert "was the clock wrong?" in problems["a.jpg"]
    assert names["species"].iloc[0] == names["species"].iloc[2] != ""


def test_a_list_of_species_and_a_taxonomy_change_the_answers(
    trained: Run, photographs: Path, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("0\n1\n2\n3\n")
    rows = [f"{digit},{'even' if digit % 2 == 0 else 'odd'}" for digit in range(10)]
    (tmp_path / "taxonomy.csv").write_text("\n".join(["species,parity", *rows]))
    ended = predict(
        trained,
        photographs,
        f"predict.species_list={tmp_path / 'list.txt'}",
        f"predict.taxonomy={tmp_path / 'taxonomy.csv'}",
        "predict.error_rate=0.3",
    )
    table = ended.load("digits_names")
    readable = table[table["error"] == ""]
    assert set(readable["species"]) <= set("0123")
    assert (readable["species_5"] == "").all()
    top = readable[["probability", "probability_2", "probability_3", "probability_4"]].sum(axis=1)
    np.testing.assert_allclose(top, 1, atol=1e-4)
    assert set(readable["parity"]) <= {"even", "odd"}
    sheet = ended.load("digits_recognizer")
    assert list(sheet["thresholds"]) == ["species", "parity"]
    assert "only the 4 of 10 listed species" in sheet["prior_is"]
    assert sum(sheet["prior"][4:]) == 0


def test_the_training_prior_favours_what_was_common(
    trained: Run, photographs: Path, named: Run
) -> None:
    uniform = names_of(named)
    train = names_of(predict(trained, photographs, "predict.prior=train"))
    head = ["0", "1", "2"]
    assert train["species"].isin(head).sum() > uniform["species"].isin(head).sum()


def test_a_run_is_tracked_with_what_it_made(named: Run, tracking: MlflowClient) -> None:
    experiment = tracking.get_experiment_by_name("longtail")
    assert experiment is not None
    [found] = tracking.search_runs(
        [experiment.experiment_id], f"tags.kedro_run_id = '{named.run_id}'"
    )
    assert found.info.status == "FINISHED"
    artifacts = {item.path for item in tracking.list_artifacts(found.info.run_id, "report")}
    assert artifacts == {
        *("report/names.csv", "report/names.html", "report/nights.csv", "report/nights.png"),
        *("report/camtrap-dp.zip", "report/occurrences.csv"),
    }


def test_full_does_not_name_anything() -> None:
    registered = pipelines("test")
    assert not registered["full"].all_outputs() & registered["predict"].all_outputs()
    assert registered["predict"].inputs() == {
        *(f"digits_{name}" for name in ("results", "trainings", "source", "images", "index")),
        *("digits_subsets", "digits_class_profile", "trial_store", "named_before"),
        *("params:predict", "params:compute", "params:datasets.digits"),
    }


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (["predict.trial=digits.long_tailed.mobilenetv2_micro.sofmax.seed0"], ConfigurationError,
         "Did you mean 'digits.long_tailed.mobilenetv2_micro.softmax.seed0'"),
        (["predict.dataset=moth"], ConfigurationError, "Did you mean 'moths'"),
        (["predict.dataset=moths"], DataError, "Run the stages before it first"),
        (["predict.prior=/nowhere.csv"], DataError, "'/nowhere.csv' is neither uniform nor train"),
        (["predict.prior=unifrom"], DataError, "predict.prior: 'unifrom' is neither uniform nor"),
        (["predict.species_list=/nowhere"], DataError, "predict.species_list: there is no file"),
        (["predict.taxonomy=/nowhere"], DataError, "predict.taxonomy: there is no file"),
        (["predict.deployments=/nowhere"], DataError, "predict.deployments: there is no file"),
        (["predict.corrections=/nowhere"], DataError, "predict.corrections: no CSV file is at"),
        (["predict.time_zone=Europe/Lond"], ConfigurationError, "mean 'Europe/London'"),
        (["predict.error_rate=5"], ConfigurationError, "predict.error_rate"),
        (["predict.boxes=/nowhere"], DataError, "predict.boxes: nothing is at '/nowhere'"),
        (["predict.box_margin=-1"], ConfigurationError, "predict.box_margin"),
        (
            ["predict.boxes=/nowhere", "predict.find_animals=plain_background"],
            ConfigurationError,
            "predict.find_animals: the animals are in boxes already",
        ),
        (["predict.pth=/x"], ConfigurationError, "Did you mean 'path'"),
        (["grid.datasets=[digits,moths]"], ConfigurationError, "choose the data set"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_met_is_refused_before_any_work(
    trained: Run,
    photographs: Path,
    changes: list[str],
    error: type[LongtailError],
    message: str,
) -> None:
    try:
        ended: Any = predict(trained, photographs, *changes)
        caught = ended.error
    except LongtailError as raised:
        caught = raised
    assert isinstance(caught, error)
    assert message in str(caught)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (None, "predict.path is not set"),
        ("nowhere", "nothing is at"),
        ("empty", "no image file is in"),
        ("notes.txt", "neither a folder nor a zip file nor an image file"),
    ],
)
def test_photographs_that_are_not_there(
    trained: Run, tmp_path: Path, path: str | None, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("text")
    ended = predict(trained, None if path is None else tmp_path / path)
    assert isinstance(ended.error, DataError)
    assert message in str(ended.error)
    # It is reported at once, not after the model was tested.
    assert not list(trained.data.glob(f"*/digits/*/{ended.run_id}"))


def test_a_trial_that_cannot_be_chosen_is_refused_before_the_training(
    tracking: MlflowClient,  # noqa: ARG001
    photographs: Path,
    tmp_path: Path,
) -> None:
    changes = (f"predict.path={photographs}", f"predict.trial={TRIAL}x")
    ended = run(tmp_path / "data", dotted(*changes), stages=["full", "predict"])
    assert isinstance(ended.error, ConfigurationError)
    assert f"Did you mean '{TRIAL}'?" in str(ended.error)
    assert not (tmp_path / "data").exists()


def test_without_a_trained_trial_it_is_said_what_to_run(
    tracking: MlflowClient,  # noqa: ARG001
    photographs: Path,
    tmp_path: Path,
) -> None:
    ended = run(tmp_path, dotted(f"predict.path={photographs}"), stages=["predict"])
    assert isinstance(ended.error, DataError)
    assert "kedro run --pipelines=full" in str(ended.error)


def test_weights_that_are_gone_and_images_that_changed_since_are_reported(
    trained: Run, photographs: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained.data, tmp_path / "data")
    copy = Run(tmp_path / "data", trained.run_id)
    fingerprint = copy.load(f"train.{TRIAL}.card")["fingerprint"]
    shutil.rmtree(copy.data / "06_models/store" / fingerprint)
    gone = predict(copy, photographs, f"predict.trial={TRIAL}")
    assert isinstance(gone.error, DataError)
    assert f"the trained weights of {TRIAL} are no longer in" in str(gone.error)
    images = copy.file("digits_images")
    pixels = np.load(images)
    pixels[0] ^= 1
    np.save(images, pixels)
    write_checksum(images, content=images)
    file = copy.file("digits_source")
    source = json.loads(file.read_text())
    file.write_text(json.dumps(source | {"sha256": sha256_of_arrays(pixels)}))
    write_checksum(file, content=file)
    stale = predict(copy, photographs)
    assert isinstance(stale.error, DataError)
    assert "a change that is not recorded, of the images (datasets.digits.source) or their" in str(
        stale.error
    )
