"""From logits to names of new photographs, and how far they can be trusted.

:mod:`longtail.naming.recognizer` makes the decision rule of a trained trial,
:mod:`longtail.naming.decision_rule` applies it, and :mod:`longtail.naming.answers_table` puts the
answers in a table.
"""
