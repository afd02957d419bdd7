"""Where a training's images are read from: memory, or a file read batch by batch."""
