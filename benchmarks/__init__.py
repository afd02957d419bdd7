"""How fast this machine trains, beside the usual way and beside what the hardware allows."""
