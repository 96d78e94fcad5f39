"""`beholden place …`: Zones, lines and masks of cameras."""
