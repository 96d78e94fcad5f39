"""The web role in its own thread, over a real port: serves, beats, says what stops it, goes quickly."""

from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from beholden.access.links import make_link
from beholden.catalog import Catalog, CatalogError, sites, users
from beholden.model.access import Role
from beholden.model.errors import BeholdenError
from beholden.web.role import WebOptions, listen, run_web, serve


class Running:
    """A web role and what it said of its life."""

    def __init__(self, directory: Path, **options: Any) -> None:
        self.port = free_port()
        self.beats = 0
        self.stop = threading.Event()
        self.error: BaseException | None = None
        chosen = WebOptions("127.0.0.1", self.port, **options)
        self.thread = threading.Thread(target=self._run, args=(directory, chosen))
        self.thread.start()
        self.url = f"{'https' if options.get('tls_cert') else 'http'}://127.0.0.1:{self.port}"
        wait_for(lambda: self.error is not None or can_connect(self.port))

    def _run(self, directory: Path, options: WebOptions) -> None:
        try:
            serve(directory, options, self._beat, self.stop)
        except BeholdenError as error:
            self.error = error

    def _beat(self) -> None:
        self.beats += 1

    def end(self) -> None:
        """Ask it to stop and wait."""
        self.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def can_connect(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds; the test fails when it never does."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A data directory with a site and an administrator."""
    catalog = Catalog.open(tmp_path)
    with catalog.write() as conn:
        sites.ensure(conn)
        users.add(conn, 0, "admin", Role.ADMIN)
    catalog.close()
    return tmp_path


@pytest.fixture
def running(directory: Path) -> Iterator[Running]:
    """A web role that is stopped after the test."""
    role = Running(directory)
    yield role
    role.end()


def sign_in(directory: Path, role: Running) -> str:
    """The cookie of a session got by a one-time link."""
    catalog = Catalog.open_existing(directory)
    token = make_link(catalog, 1)
    catalog.close()
    request = urllib.request.Request(
        f"{role.url}/api/v1/session",
        json.dumps({"token": token}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return str(answer.headers["Set-Cookie"]).split(";")[0]


def test_it_serves_and_beats(running: Running) -> None:
    """Health over a real socket, and signs of life from the event loop."""
    with urllib.request.urlopen(f"{running.url}/healthz") as answer:
        assert json.load(answer)["status"] in ("ok", "degraded")
        assert "server" not in {name.lower() for name in answer.headers}
        assert answer.headers["Date"]
    wait_for(lambda: running.beats >= 2)


def test_it_stops_with_a_page_open(directory: Path, running: Running) -> None:
    """A WebSocket that nobody closes does not hold it; the page is told."""
    cookie = sign_in(directory, running)
    with connect(
        f"ws://127.0.0.1:{running.port}/ws/events", additional_headers={"Cookie": cookie}, origin=running.url
    ) as page:
        assert json.loads(page.recv())["kind"] == "health"
        running.end()
        with pytest.raises(ConnectionClosed):
            page.recv(timeout=30)


def test_a_session_ended_elsewhere_closes_the_page(directory: Path, running: Running) -> None:
    """Revoked in the catalog by another process: within seconds the socket is closed with 4401."""
    cookie = sign_in(directory, running)
    with connect(f"ws://127.0.0.1:{running.port}/ws/events", additional_headers={"Cookie": cookie}) as page:
        page.recv()
        catalog = Catalog.open_existing(directory)
        with catalog.write() as conn:
            conn.exec_driver_sql("UPDATE session SET revoked_ms = 1")
        catalog.close()
        with pytest.raises(ConnectionClosed) as closed:
            page.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


def test_a_taken_port_is_one_sentence(directory: Path, running: Running) -> None:
    """With the next step, and the one who has it is not disturbed."""
    with pytest.raises(BeholdenError) as refused:
        run_web(directory, "127.0.0.1", running.port, lambda: None, threading.Event())
    assert refused.value.code == "port_in_use"
    assert str(running.port) in refused.value.message
    assert refused.value.next_step
    assert can_connect(running.port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "x" * 300])
def test_an_address_that_is_not_ours_is_one_sentence(host: str) -> None:
    """Instead of a traceback."""
    with pytest.raises(BeholdenError) as refused:
        listen(host, 0)
    assert refused.value.code == "bad_host"


def test_without_a_catalog_it_says_so(tmp_path: Path) -> None:
    """It never makes one: that is the supervisor's."""
    with pytest.raises(CatalogError, match="no catalog"):
        run_web(tmp_path, "127.0.0.1", 0, lambda: None, threading.Event())
    assert not (tmp_path / "catalog.db").exists()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / "cert.pem", folder / "key.pem"
    cert_path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    return cert_path, key_path


def test_it_speaks_tls_when_given_a_certificate(directory: Path) -> None:
    """With HSTS, and bound cookies by the scheme."""
    cert, key = certificate(directory)
    role = Running(directory, tls_cert=cert, tls_key=key)
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(f"{role.url}/healthz", context=trusting) as answer:
            assert answer.headers["Strict-Transport-Security"]
    finally:
        role.end()


def test_a_bad_certificate_is_one_sentence(directory: Path) -> None:
    """Not there, or not a certificate."""
    bad = directory / "bad.pem"
    bad.write_text("no certificate")
    for cert in (bad, directory / "none.pem"):
        options = WebOptions("127.0.0.1", free_port(), tls_cert=cert, tls_key=bad)
        with pytest.raises(BeholdenError) as refused:
            serve(directory, options, lambda: None, threading.Event())
        assert refused.value.code == "bad_certificate"
