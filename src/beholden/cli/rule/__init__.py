"""`beholden rule …`: Rules of cameras."""
