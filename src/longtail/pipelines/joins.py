"""Nodes that join any number of tables or documents."""

from __future__ import annotations

import pandas as pd


def concatenate(*tables: pd.DataFrame) -> pd.DataFrame:
    """The rows of several tables, in their order."""
    return pd.concat(tables, ignore_index=True)


def merge(*documents: dict[str, str]) -> dict[str, str]:
    """The entries of several documents that have no key in common."""
    return {key: text for document in documents for key, text in document.items()}
