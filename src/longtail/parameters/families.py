"""The families of methods against class imbalance (Zhang et al. 2023, arXiv 2110.04596)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from longtail.parameters.strict import key_error, unknown

# Names have hyphens, which names of methods do not have, so that both can stand in a list.
Family = Literal[
    "re-sampling",
    "class-sensitive-learning",
    "logit-adjustment",
    "transfer-learning",
    "data-augmentation",
    "representation-learning",
    "classifier-design",
    "decoupled-training",
    "ensemble-learning",
]
FAMILIES: tuple[Family, ...] = get_args(Family)


def family_label(family: Family) -> str:
    """The name of a family in reports.

    Examples:
        >>> family_label("re-sampling"), family_label("class-sensitive-learning")
        ('Re-sampling', 'Class-sensitive learning')
    """
    head, _, last = family.rpartition("-")
    label = family if family == "re-sampling" else f"{head} {last}"
    return label[0].upper() + label[1:]


def with_members(names: Sequence[Any], methods: Mapping[Any, Any]) -> list[Any]:
    """Replace the families among the names of methods by their members, each method once.

    Args:
        names: names of methods and families, as in ``grid.methods``.
        methods: raw parameters of all methods by name; members are in this order.

    Raises:
        PydanticCustomError: if a family is not known, or has no members.
    """
    listed: list[Any] = []
    for name in names:
        if not (isinstance(name, str) and "-" in name):
            listed.append(name)
            continue
        if name not in FAMILIES:
            raise key_error("grid.methods", unknown(name, FAMILIES, "family"))
        members = [
            key
            for key, method in methods.items()
            if isinstance(method, Mapping) and method.get("family") == name
        ]
        if not members:
            raise key_error("grid.methods", f"no method in methods has the family '{name}'")
        listed += [member for member in members if member not in listed and member not in names]
    return listed
