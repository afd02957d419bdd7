"""Scientific names: how authors write them, how records need them, how readers see them."""
