"""The commands beside `kedro run`, such as plan, report and prune."""
