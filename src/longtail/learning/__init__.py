"""Networks, losses and training in torch. Knows no Kedro."""
