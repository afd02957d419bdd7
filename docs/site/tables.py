"""The page of all tables, from the schemas that the catalog applies."""

from __future__ import annotations

import importlib
from pathlib import Path

import pandera.pandas as pa
import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from longtail.schemas import user_tables
from longtail.schemas.columns import TextOrEmpty
from longtail.schemas.validation import type_in_words

CATALOG = Path(__file__).parents[2] / "conf/base/catalog"
INTRODUCTION = """# All tables

Generated from the schemas in `longtail.schemas`. The catalog validates each table when it is
loaded or saved. `{dataset}` stands for the name of a data set.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page: each schema once, with the files that have it."""
    files_of: dict[str, list[str]] = {}
    for catalog in sorted(CATALOG.glob("*.yml")):
        for entry in yaml.safe_load(catalog.read_text(encoding="utf-8")).values():
            if isinstance(entry, dict) and "validator" in entry:
                file = entry["filepath"].replace("${_data}/", "").replace("${package:}/", "")
                files_of.setdefault(entry["validator"], []).append(file)
    content = INTRODUCTION
    for validator, named in sorted(files_of.items(), key=lambda item: item[1][0]):
        module, _, schema = validator.rpartition(".")
        table = as_markdown(getattr(importlib.import_module(module), schema))
        title = min((Path(file).name for file in named), key=lambda name: "{" in name)
        content += f"\n## {title}\n\n{', '.join(f'`{file}`' for file in named)}\n\n{table}"
    content += f"\n## A table of your images\n\n{as_markdown(user_tables.METADATA)}"
    files.append(File.generated(config, "reference/tables.md", content=content))
    return files


def as_markdown(schema: pa.DataFrameSchema) -> str:
    """Write a table of columns: name, type, whether cells may be empty, meaning, valid values."""
    lines = ["| column | type | may be empty | meaning |", "| --- | --- | --- | --- |"]
    for name, column in schema.columns.items():
        shown = column.title or name
        empty = column.nullable or isinstance(column.dtype, TextOrEmpty)
        of_type = type_in_words(column)
        valid = [str(check.error) for check in column.checks if check.error != of_type]
        meaning = "; ".join([str(column.description), *valid])
        if not column.required:
            meaning += "; the column may be missing"
        cells = [f"`{shown}`", of_type.removeprefix("a "), "yes" if empty else "no", meaning]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
