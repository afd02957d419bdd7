"""The commands beside `kedro run`: lock, regenerate and prune."""
