"""The canonical form of scientific names, by the rules of nomenclature."""

from __future__ import annotations

import unicodedata

import pytest

from longtail.nomenclature.scientific_names import canonical_name, plain_name, species_of


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        # Authors and years
        ("Aus bus", "Aus bus"),
        ("aus_bus", "Aus bus"),
        ("AUS bus", "Aus bus"),
        ("Aus bus L.", "Aus bus"),
        ("Aus bus (Linnaeus, 1758)", "Aus bus"),
        ("Aus bus(L.)", "Aus bus"),
        ("Aus bus, Linnaeus 1758", "Aus bus"),
        ("Aus bus ([Denis & Schiffermüller], 1775)", "Aus bus"),
        ("Aus bus LINNAEUS", "Aus bus"),
        ("Aus bus de la Torre & Callejas", "Aus bus"),
        ("Aus bus van der Hoeven 1850", "Aus bus"),
        ("Aus bus d'Orbigny", "Aus bus"),
        ("Aus bus Hook. f.", "Aus bus"),
        ("Aus bus Linnaeus sensu Miller 1900", "Aus bus"),
        ("Aus bus s. l.", "Aus bus"),
        ("Aus Linnaeus, 1758", "Aus"),
        ("Aus van der Hoeven, 1850", "Aus"),
        # A subgenus, and ranks below the species
        ("Aus (Cus) bus Miller", "Aus bus"),
        ("Aus subg. Cus bus", "Aus bus"),
        ("Aus bus cus Miller", "Aus bus cus"),
        ("Aus bus ssp. cus", "Aus bus cus"),
        ("Aus bus L. var. cus Miller", "Aus bus cus"),
        ("Aus bus L. f. typica Miller", "Aus bus typica"),
        ("Aus bus (L.) Miller, 1758 f. cus", "Aus bus cus"),
        ("Aus bus f. sp. cus", "Aus bus cus"),
        # Marks of letters, numbers, hyphens
        ("Aüs bæus", "Aues baeus"),
        ("Aus o'brieni", "Aus obrieni"),
        ("Aus noëli", "Aus noeli"),
        ("Aus c-album", "Aus c-album"),
        ("Aus c\N{NON-BREAKING HYPHEN}album", "Aus c-album"),
        ("Aus 7-punctata L.", "Aus septempunctata"),
        ("<i>Aus bus</i> Miller &amp; Smith", "Aus bus"),
        # Hybrids
        ("\N{MULTIPLICATION SIGN}Aus bus", "Aus bus"),
        ("Aus x bus", "Aus bus"),
        ("Aus \N{MULTIPLICATION SIGN} bus Miller", "Aus bus"),
        ("Aus bus L. X A. cus Miller", "Aus bus \N{MULTIPLICATION SIGN} Aus cus"),
        # What makes it another taxon
        ("Aus cf bus Miller", "Aus cf. bus"),
        ("Aus aff. bus", "Aus aff. bus"),
        ("Aus sp", "Aus sp."),
        ("Aus spp.", "Aus sp."),
        ("Aus sp. 2", "Aus sp. 2"),
        ("Aus bus (L., 1758) agg.", "Aus bus agg."),
        ("aus_bus_-_cus", "Aus bus/cus"),
        ("Aus bus / cus", "Aus bus/cus"),
        # Names that are no scientific ones stay as they are
        ("RED ADMIRAL", "RED ADMIRAL"),
        ("Red  Admiral", "Red Admiral"),
        ("moth #3", "moth #3"),
        ("class_10", "class 10"),
        ("moth on the wall", "moth on the wall"),
        ("unknown", "unknown"),
        ("Aus bus 2", "Aus bus 2"),
        ("Aus bus (male)", "Aus bus (male)"),
        ("Aus ? bus", "Aus ? bus"),
        ("", ""),
        ("_", ""),
    ],
)
def test_the_canonical_name_is_genus_and_epithets(name: str, canonical: str) -> None:
    assert canonical_name(name) == canonical
    assert canonical_name(unicodedata.normalize("NFD", name)) == canonical
    assert canonical_name(canonical) == canonical


def test_a_plain_name_is_in_one_encoding_with_single_blanks() -> None:
    assert plain_name("  Cafe\u0301__moth\t") == "Caf\u00e9 moth"


@pytest.mark.parametrize(
    ("name", "species"),
    [
        ("Zygaena filipendulae stephensi", "Zygaena filipendulae"),
        ("Mesapamea secalis agg.", "Mesapamea secalis"),
        ("Idaea cf. dilutaria", "Idaea cf. dilutaria"),
        ("Red admiral butterfly", "Red admiral butterfly"),
        ("Noctua pronuba", "Noctua pronuba"),
        ("unknown", "unknown"),
    ],
)
def test_the_species_of_a_name(name: str, species: str) -> None:
    assert species_of(name) == species
