"""One page of the API for each package of `longtail`, with all its public modules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

SOURCE = Path(__file__).parents[2] / "src"
PACKAGES = sorted(
    f"longtail.{path.stem}"
    for path in (SOURCE / "longtail").iterdir()
    if (path / "__init__.py").exists() or (path.suffix == ".py" and path.stem[0] != "_")
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages to the navigation, below the reference."""
    reference = next(part["Reference"] for part in config.nav or [] if "Reference" in part)
    reference.append({"API": [{package: f"reference/api/{package}.md"} for package in PACKAGES]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, which mkdocstrings fills."""
    for package in PACKAGES:
        content = f"# {package}\n\n" + "\n".join(map(entry, modules(package)))
        files.append(File.generated(config, f"reference/api/{package}.md", content=content))
    return files


def entry(module: str) -> str:
    """A module for mkdocstrings; of a package that only imports names, its docstring alone."""
    file = SOURCE / module.replace(".", "/") / "__init__.py"
    imports_only = file.exists() and not re.search(r"^(def|class) ", file.read_text(), re.MULTILINE)
    return f"::: {module}\n" + "    options: {members: false}\n" * imports_only


def modules(package: str) -> Iterator[str]:
    """The public modules of a package, itself first."""
    folder = SOURCE / package.replace(".", "/")
    for file in sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]:
        name = ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        if not name.rpartition(".")[2].startswith("_"):
            yield name
