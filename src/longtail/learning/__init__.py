"""Networks, losses, training and inference in torch. Independent of Kedro."""
