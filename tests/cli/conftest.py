"""Running commands in this process."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from beholden.catalog import Catalog
from beholden.cli.app import run
from beholden.store.volume import Volume


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its whole standard output as JSON; fails when there is anything else in it."""
        return json.loads(self.out)


Command = Callable[..., Answer]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """``bare("version", "--json", stdin="")`` → exit code, standard output and standard error."""
    monkeypatch.delenv("BEHOLDEN_DATA", raising=False)
    monkeypatch.delenv("BEHOLDEN_FOOTAGE", raising=False)

    def call(*words: str, stdin: str = "") -> Answer:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capfd.readouterr()
        try:
            code = run(words)
        finally:
            structlog.reset_defaults()
        captured = capfd.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


@pytest.fixture
def beholden(bare: Command, data: Path) -> Command:
    """The same with ``--data`` of the test."""

    def call(*words: str, stdin: str = "") -> Answer:
        return bare(*words, "--data", str(data), stdin=stdin)

    return call


@pytest.fixture
def catalog(beholden: Command, data: Path) -> Catalog:
    """The catalog of a data directory with one camera, Gate (id 1)."""
    assert beholden("camera", "add", "Gate", "rtsp://192.0.2.1/main").code == 0
    return Catalog.open_existing(data)


@pytest.fixture
def volume(catalog: Catalog, data: Path) -> Volume:
    """Its first volume."""
    from beholden.catalog import volumes

    with catalog.read() as conn:
        (row,) = volumes.all_volumes(conn)
    return Volume.open(data / "footage", row.uuid)
