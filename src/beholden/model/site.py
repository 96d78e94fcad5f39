"""What a site is set to."""

from __future__ import annotations

import enum


class SiteMode(enum.StrEnum):
    """Whether people are expected. Rules may hold in some of these only."""

    ARMED = "armed"  # closed: nobody should be there
    HOME = "home"  # people are about
    AWAY = "away"  # the people of the site are out
