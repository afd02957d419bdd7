"""Networks, their training and their predictions, with torch."""
