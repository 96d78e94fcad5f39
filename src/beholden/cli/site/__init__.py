"""`beholden site …`: What the site is set to."""
