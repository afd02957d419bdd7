from __future__ import annotations

import pytest

from longtail.nomenclature.display_names import ClassNaming, genus_of, is_binomial
from longtail.reporting.figures.drawing import drawn_text

MOTHS = ["acherontia_atropos", "Zygaena filipendulae", "noctua_comes", "Idaea sp.", "unknown"]
BINOMIAL, OTHER = ClassNaming(is_binomial=True), ClassNaming(is_binomial=False)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Noctua pronuba", True),
        ("noctua_pronuba", True),
        ("Polygonia c-album", True),
        ("Idaea sp.", True),
        ("Idaea cf. dilutaria", True),
        ("Zygaena filipendulae stephensi", True),  # a subspecies
        ("amphipyra_pyramidea_-_berberea", True),
        ("Käferia müelleri", True),
        ("Agrotis עש", True),
        ("Idaea dilutaria/fuscovenosa", True),  # not told apart by a photograph
        ("maple tree", True),  # in form; most of the other names of its data set are not
        ("Noctua", False),
        ("X pronuba", False),  # no genus has one letter
        ("RED ADMIRAL", False),
        ("Red Admiral", False),
        ("moth_1", False),
        ("Noctua pronuba 2", False),
        ("Noctua pronuba (female)", False),
        ("-", False),
        ("", False),
    ],
)
def test_a_binomial_is_a_genus_and_an_epithet(name: str, expected: bool) -> None:
    assert is_binomial(name) is expected


@pytest.mark.parametrize("name", ["xestia_c-nigrum", "xestia c-nigrum", " xestia  c-nigrum"])
def test_the_genus_is_the_first_word(name: str) -> None:
    assert genus_of(name) == "xestia"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (MOTHS, True),
        (["apple", "aquarium_fish", "baby", "maple_tree", "oak_tree"], False),
        (["0", "1", "2"], False),
        (["class 0", "class 1"], False),
        (["Agrotis עש"], True),  # whatever the alphabet
        (["Noctua pronuba (Linnaeus, 1758)", "Noctua comes Hübner, 1813", "Xestia baja"], True),
        (["RED ADMIRAL", "PAINTED LADY"], False),
        ([], False),
    ],
)
def test_names_are_binomials_where_most_look_like_one(names: list[str], expected: bool) -> None:
    assert ClassNaming.infer(names).is_binomial is expected


def test_underscores_become_spaces_and_a_genus_a_capital() -> None:
    assert BINOMIAL.display("acherontia_atropos") == "Acherontia atropos"
    assert OTHER.display("maple_tree") == "maple tree"
    assert OTHER.display("a\n_b") == "a b"
    assert OTHER.display("_") == "_"  # a name is never empty


def test_the_genus_is_the_first_word_of_a_binomial() -> None:
    assert BINOMIAL.genus("noctua_comes") == BINOMIAL.genus("Noctua pronuba") == "Noctua"
    assert OTHER.genus("maple_tree") == ""


@pytest.mark.parametrize(
    ("name", "html"),
    [
        ("noctua_comes", "<bdi><i>Noctua comes</i></bdi>"),
        ("noctua_pronuba (Linnaeus, 1758)", "<bdi><i>Noctua pronuba</i> (Linnaeus, 1758)</bdi>"),
        ("Xestia baja <i>", "<bdi><i>Xestia baja</i> &lt;i&gt;</bdi>"),
        ("Noctua comes Hübner & al.", "<bdi><i>Noctua comes</i> Hübner &amp; al.</bdi>"),
        ("unknown", "<bdi>Unknown</bdi>"),
        ("<script>x</script>", "<bdi>&lt;script&gt;x&lt;/script&gt;</bdi>"),
        ("a \"b\" & 'c'", "<bdi>A &#34;b&#34; &amp; &#39;c&#39;</bdi>"),
    ],
)
def test_html_is_escaped_and_binomials_are_in_italics(name: str, html: str) -> None:
    assert BINOMIAL.html(name) == html


def test_figures_get_what_their_font_has() -> None:
    assert drawn_text("Käfer", 10) == "Käfer"
    assert drawn_text("蛾 a", 10) == "? a"
    assert drawn_text("x" * 40, 10) == "x" * 9 + "\N{HORIZONTAL ELLIPSIS}"
