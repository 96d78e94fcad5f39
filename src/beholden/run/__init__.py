"""`beholden run`: start what must run, watch it, start it again; and say how it all is."""
