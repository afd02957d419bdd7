"""The commands beside `kedro run`: plan, lock, regenerate and prune."""
