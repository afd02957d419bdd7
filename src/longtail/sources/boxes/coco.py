"""Boxes in the format of COCO (https://cocodataset.org/#format-data)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from longtail.errors import DataError
from longtail.sources.boxes.annotation import Annotation, annotation_of, as_size


def read_coco(content: Mapping[str, Any], where: str) -> list[Annotation]:
    """The boxes of a data set, in pixels.

    ``score`` of an annotation, which COCO's results have, is the confidence.

    Raises:
        DataError: naming the key whose value has another form.
    """
    images, names = _images(content, where), _categories(content, where)
    annotations = content["annotations"]
    if not isinstance(annotations, list):
        raise DataError(f"{where}: annotations must be a list")
    found, seen = [], set()
    for number, annotation in enumerate(annotations):
        place = f"annotations[{number}]"
        if not isinstance(annotation, dict):
            raise DataError(f"{where}: {place} must be an annotation")
        image_id = annotation.get("image_id")
        image = images.get(image_id) if isinstance(image_id, int | str) else None
        if image is None:
            problem = f"its image_id {image_id!r} is not the id of an image"
            found.append(Annotation("", place, problem=problem))
            continue
        seen.add(image_id)
        found.append(_annotation(image, place, annotation, names))
    for image_id, image in images.items():
        if image_id not in seen:
            found.append(Annotation(image["file_name"], f"the image of id {image_id!r}"))
    return found


def _annotation(
    image: Mapping[str, Any],
    where: str,
    annotation: Mapping[str, Any],
    names: Mapping[Any, str],
) -> Annotation:
    file, category_id = image["file_name"], annotation.get("category_id")
    category = names.get(category_id, "") if isinstance(category_id, int | str) else ""
    if annotation.get("iscrowd"):
        problem = "it is around a group of animals (iscrowd), not one"
        return Annotation(file, where, category=category, problem=problem)
    if names and category_id is not None and not category:
        problem = f"its category_id {category_id!r} is not the id of a category"
        return Annotation(file, where, problem=problem)
    size = as_size(image.get("width"), image.get("height"))
    return annotation_of(
        file, where, annotation.get("bbox"), annotation.get("score"), category, size=size
    )


def _images(content: Mapping[str, Any], where: str) -> dict[int | str, Mapping[str, Any]]:
    images = content.get("images")
    if not isinstance(images, list):
        raise DataError(f"{where}: images must be a list")
    by_id: dict[int | str, Mapping[str, Any]] = {}
    for number, image in enumerate(images):
        place = f"images[{number}]"
        if not isinstance(image, dict) or not isinstance(image.get("file_name"), str):
            raise DataError(f"{where}: {place}.file_name must be the path of a photograph")
        if not isinstance(image.get("id"), int | str):
            raise DataError(f"{where}: {place}.id must be a number")
        if image["id"] in by_id:
            raise DataError(f"{where}: {place}.id: two images have the id {image['id']!r}")
        by_id[image["id"]] = image
    return by_id


def _categories(content: Mapping[str, Any], where: str) -> dict[int | str, str]:
    categories = content.get("categories", [])
    if not isinstance(categories, list) or not all(
        isinstance(one, dict) and isinstance(one.get("id"), int | str) and "name" in one
        for one in categories
    ):
        raise DataError(f"{where}: categories must be a list of ids and names")
    return {one["id"]: str(one["name"]) for one in categories}
