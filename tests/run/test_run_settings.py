"""Settings: where they come from, which wins, and how a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from beholden import c_library, native
from beholden.model.errors import BeholdenError
from beholden.run import settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATA", "HOST", "PORT", "VOLUME", "PUBLIC_URL", "LOGS"):
        monkeypatch.delenv(f"BEHOLDEN_{name}", raising=False)


def _write(data: Path, text: str) -> None:
    (data / "beholden.toml").write_text(text)


def test_a_new_installation_listens_on_this_machine_only(tmp_path: Path) -> None:
    """Nobody is reachable from the network by accident."""
    found = settings.load(data=tmp_path)
    assert (found.host, found.port) == ("127.0.0.1", 8484)
    assert found.footage_directory == tmp_path / "footage"


def test_the_file_changes_the_default(tmp_path: Path) -> None:
    """Ports and paths come from beholden.toml; paths in it are relative to the data directory."""
    _write(tmp_path, 'port = 9000\nvolume = "disk"\n')
    found = settings.load(data=tmp_path)
    assert (found.port, found.footage_directory) == (9000, tmp_path / "disk")


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a service manager can override a file it does not own."""
    _write(tmp_path, "port = 9000\n")
    monkeypatch.setenv("BEHOLDEN_PORT", "9001")
    assert settings.load(data=tmp_path).port == 9001


def test_the_command_line_wins_over_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person types now is what they mean."""
    _write(tmp_path, "port = 9000\n")
    monkeypatch.setenv("BEHOLDEN_PORT", "9001")
    assert settings.load(data=tmp_path, port=9002, host=None).port == 9002


def test_the_data_directory_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its file is read then too."""
    _write(tmp_path, "port = 9000\n")
    monkeypatch.setenv("BEHOLDEN_DATA", str(tmp_path))
    assert settings.load().port == 9000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 9000\n", "no setting named 'prot'"),
        ("port = \n", "not valid TOML"),
        ('tls_cert = "a.pem"\n', "given together"),
        ("port = 0\n", "'port' cannot be used"),
        ('port = "many"\n', "'port' cannot be used"),
        ('data = "/elsewhere"\n', "sets data"),
        ('logs = "xml"\n', "'logs' cannot be used"),
        ('public_url = "cameras.example"\n', "http:// or https://"),
    ],
)
def test_a_wrong_file_is_told_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    """The sentence names the setting; nothing starts with settings half understood."""
    _write(tmp_path, text)
    with pytest.raises(BeholdenError, match=said) as caught:
        settings.load(data=tmp_path)
    assert caught.value.code == "bad_settings"
    assert caught.value.next_step


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    """Not a traceback about bytes."""
    (tmp_path / "beholden.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BeholdenError, match="not valid TOML"):
        settings.load(data=tmp_path)


def test_a_misspelt_environment_variable_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that is silently ignored is worse than one that is refused."""
    monkeypatch.setenv("BEHOLDEN_PROT", "1")
    with pytest.raises(BeholdenError, match="BEHOLDEN_PROT"):
        settings.load(data=tmp_path)


def test_without_a_data_directory_nothing_starts() -> None:
    """There is no hidden default place for footage."""
    with pytest.raises(BeholdenError, match="No data directory"):
        settings.load()


@pytest.mark.parametrize(
    ("host", "public_url", "expected"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:8484"),
        ("0.0.0.0", None, "http://127.0.0.1:8484"),
        ("::", None, "http://[::1]:8484"),
        ("192.0.2.7", None, "http://192.0.2.7:8484"),
        ("127.0.0.1", "https://cameras.example/", "https://cameras.example"),
    ],
)
def test_the_address_shown_can_be_opened(
    tmp_path: Path, host: str, public_url: str | None, expected: str
) -> None:
    """0.0.0.0 is no address to open; behind a proxy the proxy's name is."""
    assert settings.load(data=tmp_path, host=host, public_url=public_url).base_url == expected


def test_the_variable_of_tests_for_real_clips_is_no_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A developer's folder of clips must not become a volume."""
    monkeypatch.setenv("BEHOLDEN_FOOTAGE", "/clips")
    assert settings.load(data=tmp_path).footage_directory == tmp_path / "footage"


@pytest.mark.parametrize("switch", [c_library.OFF, *native.OFF])
def test_the_switches_for_code_without_a_compiler_are_no_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    """`beholden run` starts with them: they are there to find out whether compiled code is at fault."""
    monkeypatch.setenv(switch, "1")
    assert settings.load(data=tmp_path).data == tmp_path
