"""Templates of the pages, which are self-contained."""

from __future__ import annotations

from base64 import b64encode
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from longtail.wording import capitalized, counted, decimal, probability_in_percent


@cache
def template(name: str) -> Template:
    """Load a template of this package. Text is escaped, and an undefined name is an error."""
    environment = Environment(
        loader=PackageLoader("longtail.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda data: b64encode(data).decode()
    environment.filters["thousands"] = lambda number: f"{number:,}"
    environment.filters["percent"] = probability_in_percent
    environment.filters["decimal"] = decimal
    environment.filters["counted"] = counted
    environment.filters["capitalized"] = capitalized
    return environment.get_template(name)


def fragment(name: str, **values: object) -> str:
    """Render a part of a page from a template, without its last line break."""
    return template(name).render(**values).removesuffix("\n")
