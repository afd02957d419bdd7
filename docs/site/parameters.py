"""The page of all parameters, from the models that check them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from kedro.framework.project import settings
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from longtail.config import GridConfigLoader
from longtail.parameters.reference import ParameterEntry, sections

CONFIGURATION = Path(__file__).parents[2] / "conf"
INTRODUCTION = """# All parameters

Generated from the models in `longtail.parameters`, which check the parameters of each run.
`kedro parameters` prints the same in a terminal. Set a parameter in
`conf/<environment>/parameters/*.yml` or with `--params=<key>=<value>`. `<name>` is a name that you
choose. Defaults are those of `conf/base`.
"""
COLUMNS = ParameterEntry._fields
DEEPEST = 4
BAR = r"\|"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    files.append(File.generated(config, "reference/parameters.md", content="\n".join(lines())))
    return files


def lines() -> Iterator[str]:
    """The lines of the page."""
    loader = GridConfigLoader(str(CONFIGURATION), env="base", **settings.CONFIG_LOADER_ARGS)
    yield INTRODUCTION
    for section in sections(loader.parameters()[0].model_dump(mode="json")):
        if section.path:
            level = min(2 + section.path.replace(".<name>", "").count("."), DEEPEST)
            kind = f" ({section.kind})" if section.kind else ""
            yield f"\n{'#' * level} `{section.path}`{kind}\n"
            yield section.about + "\n"
            yield from table(section.entries)


def table(entries: Iterable[ParameterEntry]) -> Iterator[str]:
    """A table of the columns that are not empty."""
    rows = [entry._replace(key=f"`{entry.key}`") for entry in entries]
    if not rows:
        return
    columns = [i for i in range(len(COLUMNS)) if any(row[i] for row in rows)]
    for row in (COLUMNS, ("---",) * len(COLUMNS), *rows):
        yield f"| {' | '.join(row[i].replace('|', BAR) for i in columns)} |"
    yield ""
