"""What is computed from stored logits: metrics, intervals, comparisons, single species."""
