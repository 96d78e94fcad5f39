"""`beholden camera …`."""
