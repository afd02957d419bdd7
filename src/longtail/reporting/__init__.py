"""Tables, figures and pages from the tidy results. Knows no torch and no Kedro."""
