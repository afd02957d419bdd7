"""The report as one self-contained HTML page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from longtail.imbalance import GROUPS
from longtail.reporting.appendix import LOSS_NOTE
from longtail.reporting.tables import METRICS, TEST_SETS, PrintedTable


@dataclass(frozen=True)
class Section:
    """One backbone's part of the page."""

    title: str
    tables: Sequence[PrintedTable]
    figures: Mapping[str, bytes]


def page(
    title: str,
    profile: pd.DataFrame,
    profile_figure: bytes,
    sections: Sequence[Section],
) -> str:
    """The page; pictures are inside it, and it asks nothing of the network.

    Args:
        title: the data set's name.
        profile: its class profile.
        profile_figure: PNG bytes.
        sections: a part for each backbone.
    """
    groups = [
        {
            "name": group,
            "classes": int((profile["group"] == group).sum()),
            "images": int(profile.loc[profile["group"] == group, "train_long_tailed"].sum()),
            "test_images": int(profile.loc[profile["group"] == group, "test_long_tailed"].sum()),
            "largest": int(profile.loc[profile["group"] == group, "train_long_tailed"].max()),
            "smallest": int(profile.loc[profile["group"] == group, "train_long_tailed"].min()),
        }
        for group in GROUPS
    ]
    return _template().render(
        title=title,
        profile=profile,
        profile_figure=profile_figure,
        groups=groups,
        sections=sections,
        test_sets=TEST_SETS,
        metrics=METRICS,
        loss_note=LOSS_NOTE,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("longtail.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda data: b64encode(data).decode()
    environment.filters["thousands"] = lambda number: f"{number:,}"
    return environment.get_template("report.html.j2")
