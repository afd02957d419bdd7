"""Images that show the same photograph, and groups of them."""
