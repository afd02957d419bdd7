"""Genus, family and lists of species that users bring."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from longtail.errors import DataError
from longtail.naming.recognizer import read_prior_and_taxonomy
from longtail.naming.taxonomy import genera, rank_of, ranks_of, read_taxonomy
from longtail.naming.user_tables import read_species_list, read_weights
from longtail.parameters import Predict

MOTHS = ["noctua_pronuba", "noctua_fimbriata", "xestia_c-nigrum", "amphipyra_pyramidea_-_berberea"]
ALL = np.ones(4, dtype=bool)


def write(folder: Path, text: str, name: str = "list.csv") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_the_genus_is_the_first_word_of_binomials() -> None:
    of_class = {name: above["genus"] for name, above in genera(MOTHS).items()}
    assert list(of_class.values()) == ["noctua", "noctua", "xestia", "amphipyra"]
    assert genera(["Noctua pronuba"]) == {"Noctua pronuba": {"genus": "Noctua"}}


@pytest.mark.parametrize("names", [["0", "1"], ["apple", "aquarium_fish"], ["moth_1", "moth_2"]])
def test_names_that_are_no_binomials_have_no_genus(names: list[str]) -> None:
    assert genera(names) == {}


def test_a_genus_is_as_probable_as_its_species_together() -> None:
    rank = rank_of("genus", genera(MOTHS), MOTHS)
    assert rank.groups == ("amphipyra", "noctua", "xestia")
    rolled = rank.roll_up(np.array([[0.3, 0.4, 0.2, 0.1], [0, 0, 1, 0]]))
    np.testing.assert_allclose(rolled, np.array([[0.1, 0.7, 0.2, 0], [0, 0, 1, 0]]))


def test_each_class_has_the_genus_that_its_name_has(caplog: pytest.LogCaptureFixture) -> None:
    names = [" Arctia caja ", "arctia_villica (Linnaeus, 1758)", "Arctia", "Noctuidae", "unknown"]
    with caplog.at_level(logging.WARNING):
        taxonomy = genera(names)
    assert [above["genus"] for above in taxonomy.values()] == ["Arctia"] * 3 + [""] * 2
    assert "2 of 5 classes have no genus" in caplog.text
    assert "'Noctuidae' and 'unknown'" in caplog.text
    assert rank_of("genus", taxonomy, names).group_of.tolist() == [0, 0, 0, -1, -1]


@pytest.mark.parametrize(
    "names",
    [
        ["RED ADMIRAL", "RED CRACKER", "PAINTED LADY"],
        ["Red Admiral", "Red Cracker", "Painted Lady"],
        ["red_admiral", "red_cracker", "painted_lady"],
        ["red panda", *map(str, range(9))],
    ],
)
def test_english_names_have_no_genus(names: list[str]) -> None:
    assert genera(names) == {}


@pytest.mark.parametrize(
    "header",
    [
        "family,section,genus,species",
        "species,genus,section,family",
        "section,species,family,genus",
    ],
)
def test_ranks_may_have_any_order_and_unusual_names(tmp_path: Path, header: str) -> None:
    groups = [("A", "s", "X"), ("A", "s", "X"), ("B", "s", "X"), ("C", "t", "X")]
    rows = []
    for name, (genus, section, family) in zip(MOTHS, groups, strict=True):
        values = {"species": name, "genus": genus, "section": section, "family": family}
        rows.append(",".join(values[column] for column in header.split(",")))
    taxonomy = read_taxonomy(write(tmp_path, "\n".join([header, *rows])), MOTHS)
    assert ranks_of(taxonomy) == ["genus", "section", "family"]
    assert taxonomy[MOTHS[2]] == {"genus": "B", "section": "s", "family": "X"}


def test_headers_in_another_language_are_told_the_usual_ones(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = "\n".join(f"{name},{name.split('_')[0].title()},Noctuidae" for name in MOTHS)
    with pytest.raises(DataError, match=r"It needs species, and may have genus, family, \.\.\.$"):
        read_taxonomy(write(tmp_path, f"Art,Gattung,Familie\n{rows}"), MOTHS)
    with pytest.raises(DataError, match=r"'gattung' has the genus of each species. Call it genus"):
        read_taxonomy(write(tmp_path, f"Species,Gattung,Familie\n{rows}"), MOTHS)
    with caplog.at_level(logging.INFO):
        taxonomy = read_taxonomy(write(tmp_path, f"Species,Genus,Familie\n{rows}"), MOTHS)
    assert taxonomy[MOTHS[0]] == {"genus": "Noctua", "familie": "Noctuidae"}
    assert "other names than the usual ones (genus, family, order, ...): familie" in caplog.text


def test_a_class_without_a_row_has_no_ranks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [f"{name} Linnaeus 1758,Noctuidae" for name in MOTHS[:2]]
    path = write(tmp_path, "\n".join(["scientificName,family", *rows]))
    with caplog.at_level(logging.WARNING):
        taxonomy = read_taxonomy(path, MOTHS)
    assert [above["family"] for above in taxonomy.values()] == ["Noctuidae", "Noctuidae", "", ""]
    assert [above["genus"] for above in taxonomy.values()][2:] == ["xestia", "amphipyra"]
    assert "leaves out 2 of 4 classes, which have no ranks of it: 'xestia_c-nigrum'" in caplog.text


def test_the_species_list_of_gbif_is_a_taxonomy_without_its_keys(tmp_path: Path) -> None:
    header = "taxonKey\tscientificName\tacceptedScientificName\tfamily\tfamilyKey\tspecies"
    rows = [
        f"{key}\tAgrotis x Foo\t{name} Bar, 1800\tNoctuidae\t7\t{name}"
        for key, name in enumerate([*MOTHS, MOTHS[0]])
    ]
    taxonomy = read_taxonomy(write(tmp_path, "\n".join([header, *rows])), MOTHS)
    assert ranks_of(taxonomy) == ["genus", "family"]


def test_classes_without_a_group_have_a_sum_of_their_own() -> None:
    taxonomy = {"a": {"genus": "x"}, "b": {"genus": ""}, "c": {"genus": "x"}}
    rank = rank_of("genus", taxonomy, ["a", "b", "c"])
    assert rank.group_of.tolist() == [0, -1, 0]
    np.testing.assert_allclose(rank.roll_up(np.array([[0.2, 0.5, 0.3]])), [[0.5, 0.5]])


def test_a_taxonomy_is_read_however_names_are_written(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "Species;Family;Order\nNoctua pronuba;Noctuidae;Lepidoptera\n"
        "NOCTUA_FIMBRIATA;Noctuidae;Lepidoptera\nxestia c-nigrum;Noctuidae;\n"
        "Amphipyra pyramidea - berberea;;Lepidoptera\nApis mellifera;Apidae;Hymenoptera\n",
    )
    taxonomy = read_taxonomy(path, MOTHS)
    # Genera from the names, since the file has no column of them.
    assert ranks_of(taxonomy) == ["genus", "family", "order"]
    assert taxonomy["noctua_pronuba"] == {
        "genus": "noctua",
        "family": "Noctuidae",
        "order": "Lepidoptera",
    }
    assert taxonomy["xestia_c-nigrum"] == {"genus": "xestia", "family": "Noctuidae", "order": ""}
    assert taxonomy[MOTHS[3]] == {"genus": "amphipyra", "family": "", "order": "Lepidoptera"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("species,genus\n", "has no row"),
        ("moth,genus\nnoctua_pronuba,a\n", "has no column species; its columns are moth, genus"),
        ("species\nnoctua_pronuba\n", "must have the columns species, genus, family"),
        ("species,genus\nvespa crabro,Vespa\n", "leaves out 4 of 4 classes, such as"),
        (
            "species,genus\nnoctua fimbriata,Noctua\nnoctua pronubba,Noctua\n",
            "leaves out the class 'noctua_pronuba', but has 'noctua pronubba'. Correct",
        ),
        ("noctua_pronuba,Noctua\n", "the first line must name the columns"),
        ("species,genus,Genus\nnoctua_pronuba,a,b\n", "has two columns 'genus'"),
        ("species,genus\n" + "".join(f"{name},\n" for name in MOTHS), "all its cells are empty"),
        ("species,,genus\nnoctua_pronuba,a,b\n", "has a column without a name"),
        (
            "species,genus\n"
            + "".join(f"{name},X\n" for name in MOTHS)
            + "Noctua pronuba Linnaeus,X\nNoctua Pronuba,Y\n",
            r"lines 2 \('noctua_pronuba'\) and 7 \('Noctua Pronuba'\): 'noctua_pronuba' has the "
            "genus 'X' and the genus 'Y'. Correct one of them, or leave it out",
        ),
        (
            "species,genus,family\n"
            + "".join(f"{name},X,{number}idae\n" for number, name in enumerate(MOTHS)),
            "puts the genus 'X' into two: the family '0idae' and the family '1idae'",
        ),
    ],
)
def test_a_taxonomy_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_taxonomy(write(tmp_path, text), MOTHS)
    assert str(caught.value).startswith("predict.taxonomy: ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "# of the region\nNoctua Pronuba\n\nxestia_c-nigrum  # common\n"),
        ("list.csv", "species,seen\nnoctua pronuba,12\nxestia c-nigrum,3\n"),
        ("list.csv", '\ufeff"noctua pronuba";x\n"xestia c-nigrum";y\n'),
        ("list.csv", "id,species\n1,noctua pronuba\n2,xestia c-nigrum\n"),
        ("list.csv", "7;Abax ater\n8;noctua pronuba\n9;xestia c-nigrum\n"),
        ("list.txt", "Scientific name\nnoctua pronuba\nxestia c-nigrum\n"),
    ],
)
def test_a_list_of_species_is_read_from_text_and_csv(tmp_path: Path, name: str, text: str) -> None:
    listed, _ = read_species_list(write(tmp_path, text, name), MOTHS)
    assert listed.tolist() == [True, False, True, False]


def test_names_that_are_no_class_are_reported_with_the_nearest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, "noctua comes\nnoctua fimbriata\nvespa crabro\n", "list.txt")
    with caplog.at_level(logging.WARNING):
        listed, _ = read_species_list(path, MOTHS)
    assert listed.tolist() == [False, True, False, False]
    assert "2 of 3 names" in caplog.text
    assert "'noctua comes' (nearest: 'noctua_pronuba'), 'vespa crabro'" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no species"),
        ("# nothing\n\n", "names no species"),
        (
            "vespa crabro\napis mellifera\n",
            "2 of 2 names are not a class of the model: 'vespa crabro', 'apis mellifera'. "
            "The model has classes such as 'noctua_pronuba' and 'noctua_fimbriata'. Check the "
            "spelling, give a file with species of the model, or remove predict.species_list",
        ),
        ("1,vespa crabro\n", "must have a column species; its first line is 1, vespa crabro"),
    ],
)
def test_a_list_without_a_class_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_species_list(write(tmp_path, text, "list.txt"), MOTHS)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"predict.species_list: '.*none' cannot be read"):
        read_species_list(str(tmp_path / "none"), MOTHS)
    (tmp_path / "picture").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(DataError, match=r"is not a text file: it is a JPEG image"):
        read_species_list(str(tmp_path / "picture"), MOTHS)


def test_columns_are_found_by_their_names_whatever_spreadsheets_leave(tmp_path: Path) -> None:
    rows = [f"{name[:1].upper()};{name};" for name in MOTHS[:3]]
    text = "\n".join(["Family;Species;", *rows, f"X;{MOTHS[3]}"])
    taxonomy = read_taxonomy(write(tmp_path, f"\ufeff{text}"), MOTHS)
    assert ranks_of(taxonomy) == ["genus", "family"]
    assert [above["family"] for above in taxonomy.values()] == ["N", "N", "X", "X"]
    rows = [f"{name},common,{weight}" for name, weight in zip(MOTHS, "1304", strict=True)]
    path = write(tmp_path, "\n".join(["species,note,weight", *rows]))
    np.testing.assert_allclose(read_weights(path, MOTHS, ALL), [1 / 8, 3 / 8, 0, 4 / 8])
    with pytest.raises(DataError, match="no column weight; its columns are species, note, number"):
        read_weights(write(tmp_path, "species,note,number\na,b,1\n"), MOTHS, ALL)


def test_a_rank_that_a_line_leaves_out_is_empty(tmp_path: Path) -> None:
    rows = [f"{name},X,Y" for name in MOTHS[:3]]
    text = "\n".join(["species,genus,family", *rows, MOTHS[3]])
    taxonomy = read_taxonomy(write(tmp_path, text), MOTHS)
    assert taxonomy[MOTHS[3]] == {"genus": "", "family": ""}
    assert rank_of("family", taxonomy, MOTHS).group_of.tolist() == [0, 0, 0, -1]


@pytest.mark.parametrize("without", range(4))
def test_ranks_have_the_order_of_the_columns_whichever_cell_is_empty(
    tmp_path: Path, without: int
) -> None:
    genus = ["Noctua", "Noctua", "Xestia", "Amphipyra"]
    genus[without] = " "
    rows = [f"{name},{above},Noctuidae," for name, above in zip(MOTHS, genus, strict=True)]
    taxonomy = read_taxonomy(
        write(tmp_path, "\n".join(["species,genus,family,order", *rows])), MOTHS
    )
    assert ranks_of(taxonomy) == ["genus", "family"]
    assert rank_of("genus", taxonomy, MOTHS).group_of[without] == -1
    assert rank_of("family", taxonomy, MOTHS).groups == ("Noctuidae",)


@pytest.mark.parametrize("rank", ["trust", "already_in"])
def test_a_rank_may_not_be_called_as_a_column_of_the_table_of_names(
    rank: str, tmp_path: Path
) -> None:
    path = write(tmp_path, "\n".join([f"species,{rank}", *(f"{name},x" for name in MOTHS)]))
    with pytest.raises(DataError, match=rf"predict.taxonomy: .* has the column '{rank}'"):
        read_prior_and_taxonomy(Predict(taxonomy=path), MOTHS, np.ones(4, dtype=np.int64))


def test_weights_are_normalised_over_the_listed_species(tmp_path: Path) -> None:
    rows = [
        "species,weight",
        *(f"{name},{weight}" for name, weight in zip(MOTHS, "1304", strict=True)),
    ]
    path = write(tmp_path, "\n".join(rows))
    np.testing.assert_allclose(read_weights(path, MOTHS, ALL), [1 / 8, 3 / 8, 0, 4 / 8])
    huge = write(tmp_path, "\n".join(["species,weight", *(f"{name},1e308" for name in MOTHS)]))
    np.testing.assert_allclose(read_weights(huge, MOTHS, ALL), [1 / 4] * 4)
    path = write(tmp_path, "\n".join(rows))
    some = np.array([True, True, False, False])
    np.testing.assert_allclose(read_weights(path, MOTHS, some), [1 / 4, 3 / 4, 0, 0])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            "12x4",
            r"list.csv', line 4 \(xestia_c-nigrum\): weight is 'x', must be a number of at least 0",
        ),
        ("12-4", "weight is '-'"),
        ("0000", "gives every species the weight 0"),
        ("124", "leaves out 1 species, such as 'amphipyra_pyramidea_-_berberea'"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(
    tmp_path: Path, weights: str, message: str
) -> None:
    rows = [
        "species,weight",
        *(f"{name},{weight}" for name, weight in zip(MOTHS, weights, strict=False)),
    ]
    with pytest.raises(DataError, match=message):
        read_weights(write(tmp_path, "\n".join(rows)), MOTHS, ALL)


def test_a_taxonomy_of_gbif_is_read_by_its_headers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """``class`` is a rank there, and the highest rank comes first."""
    rows = [f"Insecta\tNoctuidae\t{name}" for name in MOTHS]
    path = write(tmp_path, "\n".join(["class\tfamily\tspecies", *rows]))
    with caplog.at_level(logging.INFO):
        taxonomy = read_taxonomy(path, MOTHS)
    assert ranks_of(taxonomy) == ["genus", "family", "class"]
    assert taxonomy[MOTHS[0]] == {"genus": "noctua", "family": "Noctuidae", "class": "Insecta"}
    assert "the ranks are taken in the order family, class" in caplog.text
    assert "the column 'species' is taken as species" in caplog.text


def test_classes_of_the_model_make_the_column_class_one_of_species(tmp_path: Path) -> None:
    rows = [f"{name},X" for name in MOTHS]
    taxonomy = read_taxonomy(write(tmp_path, "\n".join(["Class,Tribe", *rows])), MOTHS)
    assert ranks_of(taxonomy) == ["genus", "tribe"]


def test_a_prior_is_never_taken_by_the_order_of_its_columns(tmp_path: Path) -> None:
    rows = [f"{number},{name}" for number, name in enumerate(MOTHS, 1)]
    path = write(tmp_path, "\n".join(["individualCount,scientificName", *rows]))
    np.testing.assert_allclose(read_weights(path, MOTHS, ALL), [0.1, 0.2, 0.3, 0.4])
    rows = [f"{name},{number}" for number, name in enumerate(MOTHS, 1)]
    with pytest.raises(DataError, match="has no column species and weight; its columns are a, b"):
        read_weights(write(tmp_path, "\n".join(["a,b", *rows])), MOTHS, ALL)


def test_accents_match_however_they_are_encoded(tmp_path: Path) -> None:
    composed, decomposed = "Caf\u00e9 moth", "Cafe\u0301 moth"
    path = write(tmp_path, f"{composed}\n")
    assert read_species_list(path, [decomposed, "other"])[0].tolist() == [True, False]


def test_number_sign_within_a_name_is_no_comment(tmp_path: Path) -> None:
    path = write(tmp_path, "# of 2025\nmoth #3  # seen once\n")
    assert read_species_list(path, ["moth", "moth #3"])[0].tolist() == [False, True]
