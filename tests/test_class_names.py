from __future__ import annotations

import pytest

from longtail.class_names import Names
from longtail.reporting.figures.drawing import drawable

MOTHS = ["acherontia_atropos", "Zygaena filipendulae", "noctua_comes", "Idaea sp.", "unknown"]
BINOMIAL, OTHER = Names(binomial=True), Names(binomial=False)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (MOTHS, True),
        (["apple", "aquarium_fish", "baby", "maple_tree", "oak_tree"], False),
        (["0", "1", "2"], False),
        (["class 0", "class 1"], False),
        (["Agrotis עש"], True),  # whatever the alphabet
        ([], False),
    ],
)
def test_names_are_binomials_where_most_look_like_one(names: list[str], expected: bool) -> None:
    assert Names.of(names).binomial is expected


def test_underscores_become_spaces_and_a_genus_a_capital() -> None:
    assert BINOMIAL.plain("acherontia_atropos") == "Acherontia atropos"
    assert OTHER.plain("maple_tree") == "maple tree"
    assert OTHER.plain("a\n_b") == "a b"
    assert OTHER.plain("_") == "_"  # a name is never empty


def test_the_genus_is_the_first_word_of_a_binomial() -> None:
    assert BINOMIAL.genus("noctua_comes") == BINOMIAL.genus("Noctua pronuba") == "Noctua"
    assert OTHER.genus("maple_tree") == ""


@pytest.mark.parametrize(
    ("name", "html"),
    [
        ("noctua_comes", "<bdi><i>Noctua comes</i></bdi>"),
        ("unknown", "<bdi>Unknown</bdi>"),
        ("<script>x</script>", "<bdi>&lt;script&gt;x&lt;/script&gt;</bdi>"),
        ("a \"b\" & 'c'", "<bdi>A &#34;b&#34; &amp; &#39;c&#39;</bdi>"),
    ],
)
def test_html_is_escaped_and_binomials_are_in_italics(name: str, html: str) -> None:
    assert BINOMIAL.html(name) == html


def test_figures_get_what_their_font_has() -> None:
    assert drawable("Käfer", 10) == "Käfer"
    assert drawable("蛾 a", 10) == "? a"
    assert drawable("x" * 40, 10) == "x" * 9 + "\N{HORIZONTAL ELLIPSIS}"
