"""The schemas of the project's tables, and the catalog that applies them."""

from __future__ import annotations

import importlib
from pathlib import Path

import pandas as pd
import pandera.pandas as pa
import pytest
import yaml
from kedro.io.core import generate_timestamp

from docs.site.tables import as_markdown
from longtail.catalog import LongtailCatalog
from longtail.errors import DataError
from longtail.schemas import (
    data,
    named_photographs,
    published,
    records,
    report,
    results,
    user_tables,
)
from longtail.schemas.validation import validate
from longtail.sources.images import index_of
from longtail.storage.files import write_checksum

PROJECT = Path(__file__).parents[2]
MODULES = (data, named_photographs, published, records, report, results, user_tables)
SCHEMAS = [
    schema
    for module in MODULES
    for schema in vars(module).values()
    if isinstance(schema, pa.DataFrameSchema)
]


def catalog() -> dict[str, dict[str, object]]:
    """The entries of the catalog, as its files state them."""
    entries: dict[str, dict[str, object]] = {}
    for file in (PROJECT / "conf/base/catalog").glob("*.yml"):
        entries |= yaml.safe_load(file.read_text(encoding="utf-8"))
    return {name: of for name, of in entries.items() if not name.startswith("_")}


def test_every_table_that_a_user_takes_away_has_a_schema_in_the_catalog() -> None:
    """Not parts that are gathered in the same stage, nor the copy that people read."""
    tables = {n for n, of in catalog().items() if str(of.get("filepath")).endswith(".csv")}
    checked = {name for name in tables if "validator" in catalog()[name]}
    parts = {n for n in tables if n.startswith("train.") and not n.endswith(".history")}
    # Its decimal commas are no numbers; the table that it is a copy of is checked.
    assert tables - checked - parts == {"{dataset}_names_semicolons"}
    for name in checked:
        module, _, schema = str(catalog()[name]["validator"]).rpartition(".")
        found = getattr(importlib.import_module(module), schema)
        assert any(found is known for known in SCHEMAS), name


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_every_column_says_what_it_holds(schema: pa.DataFrameSchema) -> None:
    assert schema.description
    assert all(column.description for column in schema.columns.values())
    assert len(as_markdown(schema).splitlines()) == len(schema.columns) + 2


def test_a_schema_as_markdown() -> None:
    assert as_markdown(user_tables.METADATA).splitlines() == [
        "| column | type | may be empty | meaning |",
        "| --- | --- | --- | --- |",
        "| `file` | text | no | path of the image below the source's path |",
        "| `species` | text | yes | name of its class; rows without one are skipped; plain text "
        "without line breaks or control characters |",
        "| `group` | text | yes | images of one group, such as a series of one animal, are kept "
        "on one side of a split; the column may be missing |",
        "| `split` | text | yes | official split, if the data have one; train, validation, test "
        "or empty; the column may be missing |",
    ]
    assert "| `<rank>_probability` | number | yes |" in as_markdown(named_photographs.NAMES)


def test_names_have_columns_for_the_ranks_of_the_taxonomy() -> None:
    columns = named_photographs.names_columns(["genus", "family"])
    assert columns[-23:-19] == ["genus", "genus_probability", "family", "family_probability"]
    row = {"file": "a.jpg", "trust": "yes", "why": "sure", "genus": "NA", "genus_probability": "1"}
    table = pd.DataFrame([row], columns=columns, dtype="str")
    valid = validate(table, named_photographs.NAMES, "names.csv")
    of_ranks = valid[["genus", "genus_probability", "family"]].to_dict("records")
    assert of_ranks == [{"genus": "NA", "genus_probability": 1.0, "family": ""}]
    wrong = table.assign(family_probability="2")
    with pytest.raises(DataError, match=r"family_probability is 2\.0, must be a fraction between"):
        validate(wrong, named_photographs.NAMES, "names.csv")


def test_the_catalog_applies_a_schema_on_save_and_on_load(tmp_path: Path) -> None:
    entry = catalog()["{dataset}_index"] | {"filepath": str(tmp_path / "index.csv")}
    made = LongtailCatalog.from_config({"moths_index": entry}, save_version=generate_timestamp())
    index = index_of(["a.png", "NA"], [0, 1], ["1", "NA"], ["", "train"])
    with pytest.raises(
        DataError, match=r"^moths_index, row 2: split is 'dev', must be train, validation, "
    ):
        made.save("moths_index", index.assign(split=["test", "dev"]))
    assert not list(tmp_path.rglob("*/index.csv"))
    made.save("moths_index", index)
    pd.testing.assert_frame_equal(made.load("moths_index"), index)
    [file] = tmp_path.rglob("*/index.csv")
    file.write_text(file.read_text(encoding="utf-8").replace(",train,", ",trian,"))
    write_checksum(file, content=file)
    with pytest.raises(DataError) as error:
        made.load("moths_index")
    assert str(error.value) == (
        f"moths_index ({file}), row 2: split is 'trian', must be train, validation, test, "
        "confirmed or empty"
    )


@pytest.mark.parametrize(
    ("labels", "names", "is_valid"),
    [
        ([0, 1, 0], ["a", "b", "a"], True),
        ([0, 1, 0], ["a", "b", "b"], False),
        ([0, 1, 2], ["a", "b", "a"], False),
        ([0, -1, -1], ["a", "b", "c"], True),
        ([0, -1, -1], ["a", "b", "a"], False),
    ],
)
def test_a_label_has_one_class_name(labels: list[int], names: list[str], is_valid: bool) -> None:
    index = index_of(["1", "2", "3"], [0] * 3, ["x"], [""] * 3)
    index = index.assign(label=labels, class_name=names)
    if is_valid:
        validate(index, data.INDEX, "index")
    else:
        message = r"^index, rows? .*: label and class_name do not belong to each other$"
        with pytest.raises(DataError, match=message):
            validate(index, data.INDEX, "index")
