"""The images of a training: in memory, or read from a file batch by batch."""
