"""Names that users write, matched to classes; synonyms."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from longtail.errors import DataError
from longtail.naming.name_matching import NO_SYNONYMS, ClassMatcher, Synonyms
from longtail.naming.recognizer import read_prior_and_taxonomy
from longtail.naming.synonyms import read_synonyms
from longtail.naming.user_tables import read_species_list, read_weights
from longtail.parameters import Predict

MOTHS = ["noctua_pronuba", "Noctua comes", "zygaena_filipendulae_stephensi", "Idaea sp."]


def matched(
    names: list[str], class_names: list[str], synonyms: Synonyms = NO_SYNONYMS
) -> list[list[int]]:
    return list(map(ClassMatcher(class_names, synonyms).labels, names))


def write(folder: Path, text: str, name: str = "table.csv") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("Noctua pronuba (Linnaeus, 1758)", [0]),
        ("NOCTUA_PRONUBA", [0]),
        ("Noctua (Noctua) pronuba ssp. hoegei Miller", [0]),
        ("Zygaena filipendulae L.", [2]),
        ("Idaea spp.", [3]),
        ("Noctua cf. pronuba", []),
        ("Noctua", []),
        ("Noctua sp.", []),
    ],
)
def test_a_name_matches_whatever_follows_the_epithet(name: str, labels: list[int]) -> None:
    assert matched([name], MOTHS) == [labels]


def test_the_class_with_the_same_name_is_preferred() -> None:
    classes = ["Aus bus", "Aus bus cus", "Aus bus 'Alba'"]
    assert matched(["aus bus", "Aus bus cus", "Aus bus 'Alba'"], classes) == [[0], [1], [2]]
    # A species that is divided into classes stands for all of them.
    divided = ["Aus bus cus", "Aus bus dus"]
    assert matched(["Aus bus Miller"], divided) == [[0, 1]]


def test_a_list_with_authors_lists_the_same_species_as_one_without(tmp_path: Path) -> None:
    authors = ["Noctua pronuba (Linnaeus 1758)", "Idaea spec."]
    with_authors, _ = read_species_list(write(tmp_path, "\n".join(authors)), MOTHS)
    without, _ = read_species_list(write(tmp_path, "Noctua pronuba\nIdaea sp."), MOTHS)
    assert with_authors.tolist() == without.tolist() == [True, False, False, True]


@pytest.mark.parametrize("name", ["Noctua pronubba", "Noctva pronuba", "Noctua pronubus"])
def test_a_nearly_equal_name_is_refused_until_it_is_resolved(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, f"{name}\nNoctua comes\n", "list.txt")
    with pytest.raises(DataError, match=rf"nearly a class .*'{name}' \(class 'noctua_pronuba'\)"):
        read_species_list(path, MOTHS)
    same = read_synonyms(write(tmp_path, f"{name},Noctua pronuba\n"))
    assert read_species_list(path, MOTHS, same)[0].tolist() == [True, True, False, False]
    other = read_synonyms(write(tmp_path, f"{name},{name}\n"))
    assert read_species_list(path, MOTHS, other)[0].tolist() == [False, True, False, False]


def test_names_that_differ_in_a_number_are_not_nearly_equal() -> None:
    classes = ["morphospecies 0010", "morphospecies 0011"]
    assert matched(["morphospecies 0012"], classes) == [[]]


def test_a_misspelt_name_of_a_listed_class_excludes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "Noctua pronubba\nNoctua pronuba\n", "list.txt")
    assert read_species_list(path, MOTHS)[0].tolist() == [True, False, False, False]


def test_a_weight_for_several_classes_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "species,weight\nAus bus,1\n")
    listed = np.ones(2, dtype=bool)
    with pytest.raises(DataError, match="'Aus bus' is several classes, 'Aus bus cus' and"):
        read_weights(path, ["Aus bus cus", "Aus bus dus"], listed)
    path = write(tmp_path, "species,weight\nAus bus L.,1\nAus bus cus,2\n")
    with pytest.raises(DataError, match=r"two rows for 'Aus bus': 'Aus bus L\.' and 'Aus bus cus'"):
        read_weights(path, ["Aus bus", "Dus eus"], listed)


@pytest.mark.parametrize(
    "text",
    [
        "Agrotis pronuba L.,Noctua pronuba (L.)\n",
        "synonym;accepted name\nAgrotis pronuba;Noctua pronuba\n",
        "taxonKey\tscientificName\tacceptedTaxonKey\tacceptedScientificName\n"
        "1\tAgrotis pronuba L.\t2\tNoctua pronuba (L., 1758)\n",
        "taxonID\tscientificName\tacceptedNameUsageID\n"
        "1\tAgrotis pronuba\t2\n2\tNoctua pronuba\t\n",
        "taxonID\tacceptedNameUsage\tscientificName\n1\tNoctua pronuba\tAgrotis pronuba L.\n",
        "name,accepted\nAgrotis pronuba,Phalaena pronuba\nPhalaena pronuba,Noctua pronuba\n",
    ],
)
def test_synonyms_are_read_from_two_columns_and_darwin_core(tmp_path: Path, text: str) -> None:
    synonyms = read_synonyms(write(tmp_path, text))
    assert synonyms["agrotis pronuba"] == "Noctua pronuba"
    assert matched(["Agrotis pronuba", "Agrotis pronuba hoegei"], MOTHS, synonyms) == [[0], [0]]
    # The class may be the synonym.
    assert matched(["Noctua pronuba L."], ["agrotis_pronuba"], synonyms) == [[0]]


def test_a_name_with_two_accepted_names_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, "Aus bus,Cus bus\nAus bus,Dus bus\nAus eus,Cus eus\nEus fus,Fus eus\n")
    with caplog.at_level(logging.WARNING):
        assert read_synonyms(path) == {"aus eus": "Cus eus", "eus fus": "Fus eus"}
    assert "1 name has several accepted names" in caplog.text
    assert "'aus bus' ('Cus bus' and 'Dus bus')" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c\n", "must have two columns"),
        ("name,accepted\na,\n", "gives no name an accepted name"),
    ],
)
def test_synonyms_that_cannot_be_used_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"predict.synonyms: .* {message}"):
        read_synonyms(write(tmp_path, text))


def test_all_tables_of_the_user_use_the_synonyms(tmp_path: Path) -> None:
    counts = np.ones(2, dtype=np.int64)
    asked = Predict(
        synonyms=write(tmp_path, "Agrotis pronuba,Noctua pronuba\n", "synonyms.csv"),
        species_list=write(tmp_path, "Agrotis pronuba L.\nNoctua comes\n", "list.txt"),
        prior=write(tmp_path, "species,weight\nAgrotis pronuba,3\nNoctua comes,1\n", "prior.csv"),
        taxonomy=write(
            tmp_path, "family,species\nF,Agrotis pronuba\nF,Noctua comes\n", "taxonomy.csv"
        ),
    )
    stated = read_prior_and_taxonomy(asked, MOTHS[:2], counts)
    np.testing.assert_allclose(stated.prior, [0.75, 0.25])
    assert stated.taxonomy["noctua_pronuba"] == {"genus": "noctua", "family": "F"}
