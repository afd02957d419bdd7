"""Layers of parameters merged into one: environments, ``--params``, recipes and overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

# The keys that say which member of a union a mapping is.
TAGS = ("kind", "name")


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested mappings key by key, the later ones over the earlier ones.

    A mapping of another ``kind`` or ``name`` replaces the one below it, since the keys of one
    kind mean nothing to another: ``{name: focal, gamma: 2}`` and then ``{name: ldam}`` give
    ``{name: ldam}``.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = merged.get(key)
            if not isinstance(value, Mapping):
                merged[key] = value
            elif isinstance(below, Mapping) and _same_kind(below, value):
                merged[key] = merge(below, value)
            else:
                merged[key] = merge(value)
    return merged


def merge_resolved(layers: Sequence[DictConfig]) -> dict[str, Any]:
    """Merge layers whose values may be interpolations such as ``${recipe.epochs}``.

    An interpolation refers to the merged parameters, whichever layer it is in.

    Raises:
        OmegaConfBaseException: if an interpolation cannot be resolved.
    """
    raw = [_container(layer, resolve=False) for layer in layers]
    merged = merge(*raw)
    return merge(*(resolve(layer, merged) for layer in raw))


def resolve(layer: Mapping[str, Any], merged: Mapping[str, Any]) -> Mapping[str, Any]:
    """A layer with the values of its interpolations, which refer to the merged parameters."""
    if "${" not in str(layer):  # most have none, and OmegaConf takes long for many keys
        return layer
    parent = OmegaConf.create(dict(merged))
    return _container(OmegaConf.create(dict(layer), parent=parent), resolve=True)


def _same_kind(below: Mapping[str, Any], above: Mapping[str, Any]) -> bool:
    return all(above[tag] == below[tag] for tag in TAGS if tag in above and tag in below)


def _container(layer: DictConfig, resolve: bool) -> dict[str, Any]:
    return cast("dict[str, Any]", OmegaConf.to_container(layer, resolve=resolve))
