"""Live view: one pull of the bus per stream, shared by all who watch."""
