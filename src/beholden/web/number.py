"""Numbers that name things in addresses and bodies, within what the catalog can hold."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

# JavaScript's largest exact integer; above 2^63 SQLite would refuse the value with an error of its own.
Id = Annotated[int, Field(ge=0, le=2**53 - 1)]
_TOO_LONG = re.compile(r"\d{17}")


def names_nothing(path: str) -> bool:
    """Whether an address has a number so long that nothing can have it: not an id, not an instant."""
    return _TOO_LONG.search(path) is not None
