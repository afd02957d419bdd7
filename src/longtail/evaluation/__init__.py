"""Evaluation of stored logits: metrics, intervals, comparisons, single species."""
