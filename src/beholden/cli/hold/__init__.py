"""`beholden hold …`."""
