"""From logits to names of new photographs, and what can be said for them.

:mod:`longtail.naming.recognizer` makes the sheet of a trained trial, :mod:`longtail.naming.sheet`
reads it and decides, and :mod:`longtail.naming.names` says what is decided in a table.
"""
