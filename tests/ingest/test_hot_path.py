"""Whether cameras are read by compiled code is said truly, of both parts of it."""

from __future__ import annotations

import pytest

from beholden import native
from beholden.ingest.hot_path import hot_path
from beholden.ingest.rtp import library


def test_it_takes_both_to_be_compiled() -> None:
    """The C library and the modules; the sentence is of the one that is missing, the library's first."""
    found, chosen = hot_path(), library.chosen()
    assert found.compiled == (chosen.library is not None and native.why() == "")
    expected = chosen.why if chosen.library is None or not native.why() else native.why()
    assert found.why == expected


@pytest.mark.parametrize("switch", native.OFF)
def test_a_switch_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: object, switch: str) -> None:
    """So that a person who left it on finds it."""
    for name in native.OFF:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(switch, "1")
    assert native.choose(str(tmp_path)) == ("", f"{switch}=1 asks for Python code.")
