"""`beholden user …`."""
