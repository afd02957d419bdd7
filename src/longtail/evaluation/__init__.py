"""What stored logits say: metrics, intervals, comparisons, single species."""
