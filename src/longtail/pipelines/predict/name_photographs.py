"""The node that names new photographs. torch is imported where it is needed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from longtail.arrays import UInt8Array
from longtail.imbalance.subsets import UNKNOWN, images_of
from longtail.naming.answers_table import (
    BAD_BOX,
    NO_BOX,
    columns_of,
    log_names,
    names_table,
    row_without_animal,
    unreadable_row,
)
from longtail.naming.copied_files import with_notes_of_copies
from longtail.naming.decision_rule import DecisionRule
from longtail.naming.error_rates import log_names_at_each_rate, names_at_each_rate
from longtail.naming.named_before import Named, NamedBefore
from longtail.naming.neighbours import LEARNT_FEATURES, learnt_features
from longtail.naming.seen_before import SeenImages, warn_of_seen
from longtail.naming.trial_choice import weights_of
from longtail.parameters import Compute, Predict, Trial
from longtail.pipelines.predict.held_out import held_out_parts
from longtail.prefetch import on_all_cores
from longtail.schemas.vocabulary import ALREADY_IN, NOTE, SHA256, TRAINED_ON
from longtail.sources.box import word_for_images
from longtail.sources.boxes.cut_photographs import with_boxes
from longtail.sources.boxes.plain_background import background_note
from longtail.sources.decoding.decode import DECODING_VERSION
from longtail.sources.files import ImageFileRef
from longtail.sources.photographs import Photographs, checksums, content_keys, decode_in_chunks
from longtail.wording import counted

if TYPE_CHECKING:
    from longtail.learning.inference.trained_model import Predictor

# Increased when a photograph would get another note.
NOTES_VERSION = 1

log = logging.getLogger(__name__)


def name_photographs(
    recognizer: dict[str, Any],
    photographs: Photographs,
    images: UInt8Array,
    subsets: pd.DataFrame,
    store: Path,
    named_before: Path,
    predict: Predict,
    compute: Compute,
) -> pd.DataFrame:
    """Name new photographs, one row per file or box, sorted by their names.

    Files and boxes that cannot be used have a row with the reason. Photographs that are in the
    data set have the name of its part. What was computed for a photograph before is used again with
    ``predict.only_new``.

    Raises:
        DataError: if the trained weights, or features to compare with, are missing.
    """
    rule = DecisionRule.of(recognizer)
    trial = Trial.model_validate(recognizer["trial"]).model_copy(update={"compute": compute})
    predictor = _predictor(store, recognizer, trial)
    seen = _seen_images(images, subsets, trial, recognizer)
    contents = checksums(photographs.files)
    pictures = content_keys(photographs.files, contents)
    before = NamedBefore(named_before, _determinants(recognizer, subsets, compute))
    to_name = [file for file in photographs.files if file not in photographs.without_animal]
    known = {
        file: found
        for file in to_name
        if predict.only_new and (found := before.find(pictures.get(file, "")))
    }
    new = [file for file in to_name if file not in known]
    rows = _rows_without_logits(photographs)
    if known:
        was_or_were = "was" if len(known) == 1 else "were"
        log.info(
            "%s named before by the same model (predict.only_new)",
            f"{counted(len(known), word_for_images(known))} {was_or_were}",
        )
        rows += _named(rule, list(known), list(known.values()))
    of_frames = _parts_of_frames(photographs, new, seen, recognizer["image_size"])
    title = title_of_naming(len(new), photographs)
    for usable, unreadable in _decoded(photographs, new, recognizer["image_size"], title):
        rows += [unreadable_row(file, why) for file, why in unreadable.items()]
        if usable:
            outputs = predictor.logits(np.stack(list(usable.values())))
            already_in = [
                seen.part_of(pixels) or of_frames.get(photographs.files[file].frame, "")
                for file, pixels in usable.items()
            ]
            notes = _notes(photographs, usable)
            named = list(map(Named, outputs, already_in, notes))
            rows += _named(rule, list(usable), named)
            before.add([pictures.get(file, "") for file in usable], named)
    before.save()
    table = with_notes_of_copies(with_boxes(_in_order(rule, rows, contents), photographs))
    log_names(table)
    log_names_at_each_rate(names_at_each_rate(recognizer["ladder"], table))
    warn_of_seen(table)
    return table


def _seen_images(
    images: UInt8Array, subsets: pd.DataFrame, trial: Trial, recognizer: dict[str, Any]
) -> SeenImages:
    """The images of the data set, by what the model has seen of them."""
    split = {TRAINED_ON: images_of(subsets, "train", trial.train_set), **held_out_parts(subsets)}
    if recognizer["folds"] is not None:  # the model has learnt all but unknown species
        *learnt, unknown = split.values()
        split = {TRAINED_ON: np.concatenate(learnt), UNKNOWN: unknown}
    return SeenImages(images, split)


def _rows_without_logits(photographs: Photographs) -> list[Mapping[Any, Any]]:
    """The rows of what cannot be read, has no animal, or has a box that cannot be used."""
    return [
        *(unreadable_row(file, why) for file, why in photographs.rejected.items()),
        *(row_without_animal(*empty) for empty in photographs.without_animal.items()),
        *(
            unreadable_row(name, bad.reason, BAD_BOX if bad.frame else NO_BOX)
            for name, bad in photographs.bad_boxes.items()
        ),
    ]


def title_of_naming(new: int, photographs: Photographs) -> str:
    """What the progress bar says is done: naming so many of all photographs, or so many animals.

    The other photographs are in formats that cannot be read, or were named before.
    """
    if photographs.boxes:
        return f"Naming {counted(new, 'animal')}"
    every = counted(len(photographs.files) + len(photographs.rejected), "photograph")
    return f"Reading and naming {new:,} of {every}"


def _decoded(
    photographs: Photographs, files: Sequence[str], size: int, title: str
) -> Iterator[tuple[dict[str, UInt8Array], dict[str, str]]]:
    """Photographs in chunks: the pixels of each that can be read, and the reasons of the others."""
    from longtail.learning.inference.trained_model import images_per_chunk

    chunk = images_per_chunk(size)
    every = [photographs.files[file] for file in files]
    chunks = decode_in_chunks(every, size, chunk, title, photographs.limits)
    for start, decoded in zip(range(0, len(files), chunk), chunks, strict=True):
        pairs = list(zip(files[start : start + chunk], decoded, strict=True))
        yield (
            {file: pixels for file, pixels in pairs if not isinstance(pixels, str)},
            {file: why for file, why in pairs if isinstance(why, str)},
        )


def _parts_of_frames(
    photographs: Photographs, files: Sequence[str], seen: SeenImages, size: int
) -> dict[ImageFileRef, str]:
    """The part of the data set that has the photograph of each box, where one has it whole."""
    from longtail.learning.inference.trained_model import images_per_chunk

    of_files = (photographs.files[file] for file in files)
    frames = list(dict.fromkeys(file.frame for file in of_files if file.box is not None))
    if not frames:
        return {}
    title = f"Looking for {counted(len(frames), 'photograph')} in the data set"
    chunks = decode_in_chunks(frames, size, images_per_chunk(size), title, photographs.limits)
    every = (pixels for chunk in chunks for pixels in chunk)
    return {
        frame: seen.part_of(pixels)
        for frame, pixels in zip(frames, every, strict=True)
        if not isinstance(pixels, str)
    }


def _notes(photographs: Photographs, usable: Mapping[str, UInt8Array]) -> list[str]:
    """What makes the name of each photograph less certain; boxes have notes of their own."""
    if photographs.frames:
        return [""] * len(usable)
    return [note for _, note in on_all_cores(background_note, usable.values())]


def _named(
    rule: DecisionRule, files: Sequence[str], found: Sequence[Named]
) -> list[Mapping[Any, Any]]:
    logits, similarity = rule.split(np.stack([named.logits for named in found]))
    rows = names_table(rule, files, logits, similarity).to_dict("records")
    return [
        {**row, ALREADY_IN: named.part, NOTE: named.note}
        for row, named in zip(rows, found, strict=True)
    ]


def _in_order(
    rule: DecisionRule, rows: Sequence[Mapping[Any, Any]], contents: Mapping[str, str]
) -> pd.DataFrame:
    """One table of all rows, sorted by the names of the files, with their checksums."""
    in_order = sorted(rows, key=lambda row: str(row["file"]).split("/"))
    table = pd.DataFrame(in_order, columns=[*columns_of(rule), ALREADY_IN, NOTE, SHA256])
    table[SHA256] = table["file"].map(contents).fillna("")
    of_named = [ALREADY_IN, NOTE]  # files that cannot be read have none
    table[of_named] = table[of_named].fillna("")
    return table


def _determinants(
    recognizer: dict[str, Any], subsets: pd.DataFrame, compute: Compute
) -> dict[str, Any]:
    """What logits, and whether the data set has a photograph, depend on."""
    compared = recognizer.get(LEARNT_FEATURES)
    return ({} if compared is None else {LEARNT_FEATURES: compared}) | {
        "fingerprint": recognizer["fingerprint"],
        "image_size": recognizer["image_size"],
        "subsets": hashlib.sha256(subsets.to_csv(index=False).encode()).hexdigest(),
        "device": compute.device,
        "decoding": DECODING_VERSION,
        "notes": NOTES_VERSION,
    }


def _predictor(store: Path, recognizer: dict[str, Any], trial: Trial) -> Predictor:
    """The trained model, which compares photographs with learnt ones if the recognizer does.

    Raises:
        DataError: if its weights, or the features of the learnt photographs, are missing.
    """
    from longtail.learning.inference.trained_model import Predictor, TrainedModel

    weights = weights_of(store, recognizer["fingerprint"], trial.name)
    model = TrainedModel(weights, trial, len(recognizer["class_names"]))
    return Predictor(model, learnt_features(store, recognizer))
