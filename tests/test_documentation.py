"""What the documentation says is true: commands, parameters, links, names of code, folders."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from docs.site.pages import FILE_OF
from longtail.catalog import LongtailCatalog
from longtail.cli import cli
from longtail.parameters.reference import sections
from tests.own_loss_example import write_example
from tests.pipelines.support import PROJECT, dotted, loader

PAGES = sorted([*PROJECT.glob("*.md"), PROJECT / "data/README.md", *PROJECT.glob("docs/**/*.md")])
OF_MOTHS = ("identify-species.md", "transfer.md")
BLOCK = re.compile(r"^```(.*?)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)
LINK = re.compile(r"(?<!\\)\]\(\s*([^)\s]+)\s*\)|^\[[^\]]+\]:\s+(\S+)$", re.MULTILINE)
CODE_NAME = re.compile(r"\blongtail(?:\.[A-Za-z_]\w*)+")
PATH = re.compile(r"(?:conf|docs|notebooks|src|tests|benchmarks)/[\w./-]*\w")
PAGE_IN_CODE = re.compile(r"\bdocs/[\w./-]+\.md\b")
MESSAGES = re.compile(r"^\| message \|.*\n\|.*\n((?:\|.*\n)+)", re.MULTILINE)
GENERATED = ("lock.yml", "conf/local/", "conf/birds/", "conf/moths/parameters/datasets.yml")
LONGEST_LINE = 119


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    """A page without its code blocks."""
    return BLOCK.sub("", text_of(page))


def blocks(kind: str) -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for found, text in BLOCK.findall(text_of(page)):
            if found == kind:
                yield page.relative_to(PROJECT), text


def commands() -> Iterator[tuple[str, str]]:
    """The environment and the parameters of each `kedro run` that sets parameters."""
    for _, text in blocks("sh"):
        for line in text.replace("\\\n", "").splitlines():
            if not line.startswith("kedro run"):
                continue
            words = shlex.split(line, comments=True)
            options = dict(word.split("=", 1) for word in words[2:] if "=" in word)
            if "--params" in options:
                yield options.get("--env", "base"), options["--params"]


def parameters_of(text: str) -> list[str]:
    """The parameters, at the commas that are in no brackets."""
    return re.split(r",(?![^\[{]*[\]}])", text)


def links(page: Path) -> set[str]:
    """The relative links of a page, images included."""
    found = {a or b for a, b in LINK.findall(FORMULA.sub("", prose_of(page)))}
    return {link for link in found if not re.match(r"[a-z]+:", link)}


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors that a page's headings have, as on GitHub and in the site."""
    titles = re.findall(r"^#+ +(.+)$", prose_of(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return frozenset(title.strip().replace(" ", "-") for title in plain)


def named_in(page: Path) -> set[str]:
    """What a page names of the package's modules, classes and functions, but for what it adds."""
    return set(CODE_NAME.findall(re.sub(r"^\+.*$", "", text_of(page), flags=re.MULTILINE)))


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError as error:
            if not name.startswith(str(error.name)):
                raise
            continue
        for attribute in parts[end:]:
            if not hasattr(value, attribute):
                return False
            value = getattr(value, attribute)
        return True
    return False


def tracked(pattern: str) -> list[str]:
    """The project's files that match, without what is installed or made."""
    listing = subprocess.run(
        ["git", "ls-files", "--", pattern], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if listing.returncode:  # not a checkout
        return [str(path.relative_to(PROJECT)) for path in PROJECT.glob(f"**/{pattern}")]
    return listing.stdout.split("\n")[:-1]


@cache
def texts() -> str:
    """All texts in the code, with NUL for what is inserted when the program runs."""
    found = []
    for file in (f for f in tracked("*.py") if f.startswith("src/")):
        for node in ast.walk(ast.parse(text_of(PROJECT / file))):
            if isinstance(node, ast.JoinedStr):
                parts = (v.value if isinstance(v, ast.Constant) else "\0" for v in node.values)
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub(r"%[.\d]*[sdf]", "\0", node.value))
    return "\n".join(found)


def explained_messages() -> Iterator[tuple[str, str]]:
    """The messages in pages' tables of error messages, without the parts in italics or dots."""
    for page in PAGES:
        for rows in MESSAGES.findall(text_of(page)):
            for row in rows.splitlines():
                for fixed in re.split(r"\*[^*]+\*|\.{3}|\([^)]*\)|;", row.split("|")[1]):
                    if words := fixed.strip(" ,;"):
                        yield page.name, words


def pages(value: object) -> str | None:
    return str(value.relative_to(PROJECT)) if isinstance(value, Path) else None


@pytest.mark.parametrize(("page", "text"), list(blocks("yaml")), ids=lambda value: str(value)[:40])
def test_parameters_in_files_are_valid(
    page: Path, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_example(tmp_path, monkeypatch)
    environment = "moths" if page.name in OF_MOTHS else "base"
    loader(environment, **yaml.safe_load(text)).parameters()


@pytest.mark.parametrize(
    ("page", "text"), list(blocks('yaml title="conf/local/catalog.yml"')), ids=lambda v: str(v)[:40]
)
def test_entries_of_catalogs_are_valid(page: Path, text: str) -> None:  # noqa: ARG001
    entries = yaml.safe_load(text)
    catalog = LongtailCatalog.from_config(entries)
    assert sorted(catalog) == sorted(entries)
    assert all(name in catalog.validator_specs for name in entries)


@pytest.mark.parametrize(("environment", "text"), sorted(set(commands())))
def test_parameters_of_commands_are_valid(environment: str, text: str) -> None:
    loader(environment, **dotted(*parameters_of(text))).parameters()


@pytest.mark.parametrize("page", PAGES, ids=pages)
def test_links_and_images_lead_somewhere(page: Path) -> None:
    dead = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=pages)
def test_links_lead_to_files_of_the_site(page: Path) -> None:
    targets = [
        (page.parent / link.partition("#")[0]).resolve() for link in links(page) if link[0] != "#"
    ]
    site = {PROJECT / file for file in FILE_OF.values()}
    assert [t for t in targets if t not in site and PROJECT / "docs" not in t.parents] == []


@pytest.mark.parametrize("page", [p for p in PAGES if named_in(p)], ids=pages)
def test_code_that_is_named_exists(page: Path) -> None:
    assert [name for name in sorted(named_in(page)) if not exists(name)] == []


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "CHANGELOG.md"], ids=pages)
def test_paths_that_are_named_exist(page: Path) -> None:
    named = {
        path for code in re.findall(r"`([^`\n]+)`", prose_of(page)) for path in PATH.findall(code)
    }
    paths = {path for path in named if not any(made in path for made in GENERATED)}
    assert [path for path in sorted(paths) if not (PROJECT / path).exists()] == []


def test_messages_that_are_explained_are_in_the_code() -> None:
    messages = list(explained_messages())
    assert len(messages) > 10
    assert [(page, words) for page, words in messages if words not in texts()] == []


@pytest.mark.parametrize("page", PAGES, ids=pages)
def test_lines_fit_on_a_screen(page: Path) -> None:
    """Code blocks too, but not tables."""
    lines = text_of(page).splitlines()
    assert [line for line in lines if len(line) > LONGEST_LINE and not line.startswith("|")] == []


def test_lines_of_the_configuration_fit_on_a_screen() -> None:
    files = [file for file in tracked("*.yml") if file.startswith("conf/")]
    assert files
    lines = [(file, line) for file in files for line in text_of(PROJECT / file).splitlines()]
    assert [(file, line) for file, line in lines if len(line) > LONGEST_LINE] == []


def test_the_pages_that_code_and_configuration_name_exist() -> None:
    files = [*tracked("*.py"), *tracked("*.yml"), *tracked("*.toml"), *tracked("*.ipynb")]
    named = {
        (file, page) for file in files for page in PAGE_IN_CODE.findall(text_of(PROJECT / file))
    }
    assert named
    assert [(file, page) for file, page in sorted(named) if not (PROJECT / page).exists()] == []


def folders() -> dict[str, str]:
    """The content of each folder, by the table of the architecture page."""
    table = text_of(PROJECT / "docs/explanation/architecture.md").split("## Folders")[1]
    return dict(re.findall(r"^\| `([\w./]+)` \| (.*) \|$", table, re.MULTILINE))


def test_the_architecture_page_names_every_folder() -> None:
    files = [Path(file) for file in tracked("*") if not file.startswith(".")]
    top = {file.parts[0] for file in files if len(file.parts) > 1} - {"src"}
    packages = {"/".join(file.parts[:3]) for file in files if file.parts[:2] == ("src", "longtail")}
    assert folders().keys() == top | {name for name in packages if (PROJECT / name).is_dir()}


def test_the_architecture_page_names_every_environment_and_command() -> None:
    environments = {Path(file).parts[1] for file in tracked("*.yml") if file.startswith("conf/")}
    named = set(re.findall(r"`([\w. ]+)`", folders()["conf"]))
    assert named == environments - {"logging.yml"}
    named = set(re.findall(r"`(?:kedro )?(\w+)`", folders()["src/longtail/commands"]))
    assert named == cli.commands.keys()


@pytest.mark.parametrize(
    "file", [f for f in tracked("*.py") if f.startswith("src/") and ">>> " in text_of(PROJECT / f)]
)
def test_examples_in_docstrings_give_what_they_show(file: str) -> None:
    module = importlib.import_module(".".join(Path(file).with_suffix("").parts[1:]))
    results = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert results.attempted > 0
    assert results.failed == 0


def test_every_parameter_has_a_meaning() -> None:
    """The page of all parameters is generated from the docstrings of their models."""
    entries = [(section.path, entry) for section in sections({}) for entry in section.entries]
    assert len(entries) > 100
    assert [(path, entry.key) for path, entry in entries if not entry.meaning] == []
