"""Schemas of the project's tables: columns with types, units, checks and meaning.

The catalog validates tables with them on load and save (``validator:`` in ``conf/base/catalog``).
Importing one imports pandera, which takes most of a second: import them inside functions.
"""
