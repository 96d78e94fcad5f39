"""Fixtures: a fresh catalog in a fresh directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from beholden.catalog import Catalog
from beholden.catalog.secrets import SecretBox


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """A new, empty catalog."""
    made = Catalog.open(tmp_path)
    yield made
    made.close()


@pytest.fixture
def box(tmp_path: Path) -> SecretBox:
    """The secret box beside the catalog."""
    return SecretBox.open(tmp_path)
