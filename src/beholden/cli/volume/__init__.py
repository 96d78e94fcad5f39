"""`beholden volume …`."""
