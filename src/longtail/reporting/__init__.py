"""Tables, figures and pages from the tidy results, without torch and Kedro."""
