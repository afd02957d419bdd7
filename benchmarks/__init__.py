"""Training speed on this machine, compared with the usual loop and with the hardware's limits."""
