"""Fixtures of the tests of sources."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's servers are asked directly, whatever the network around it."""
    monkeypatch.setenv("no_proxy", "*")
