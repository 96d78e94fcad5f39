"""Numbers that name things in addresses and bodies, within what the catalog can hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

# JavaScript's largest exact integer; above 2^63 SQLite would refuse the value with an error of its own.
Id = Annotated[int, Field(ge=0, le=2**53 - 1)]
