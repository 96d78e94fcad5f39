"""The scripts a newcomer types: they parse, help, and refuse; the set-up's parts that need no network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(
    path for path in (ROOT / "scripts").iterdir() if path.suffix == "" and b"bash" in path.read_bytes()[:30]
)
OURS = [ROOT / "scripts" / name for name in ("setup", "demo", "test", "lint", "checks", "bench", "lock")]


def _run(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        cwd="/",
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / ".ci" / "run"], ids=lambda path: path.name)
def test_scripts_are_runnable_and_name_no_package_index(script: Path) -> None:
    """Executable, valid bash, strict, and free of any registry's address."""
    text = script.read_text()
    assert os.access(script, os.X_OK)
    assert _run("bash", "-n", script).returncode == 0
    assert re.search(r"^set -[eu]*uo pipefail$", text, re.MULTILINE)
    assert not re.search(r"https?://|--index-url|--registry", text)


@pytest.mark.parametrize("script", OURS, ids=lambda path: path.name)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_script_says_what_it_does(script: Path, flag: str) -> None:
    """Help is quick, comes from anywhere, and starts nothing."""
    told = _run(script, flag)
    assert told.returncode == 0
    assert len(told.stdout.strip()) > 40
    assert "#" not in told.stdout


def test_an_unknown_check_is_refused() -> None:
    """scripts/checks does not pass over a name it does not know."""
    told = _run(ROOT / "scripts" / "checks", "spelling")
    assert told.returncode == 2
    assert "no check named spelling" in told.stderr


def test_a_failing_check_fails_the_whole(tmp_path: Path) -> None:
    """In a copy with a fault in it, scripts/checks ruff names the check and exits 1."""
    for name in ("scripts", ".venv/bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "scripts" / "checks").write_text((ROOT / "scripts" / "checks").read_text())
    ruff = tmp_path / ".venv" / "bin" / "ruff"
    ruff.write_text("#!/bin/sh\necho 'x.py:1: wrong'\nexit 1\n")
    ruff.chmod(0o755)
    told = _run("bash", tmp_path / "scripts" / "checks", "ruff")
    assert told.returncode == 1
    assert "x.py:1: wrong" in told.stdout
    assert told.stderr.strip() == "Failed: ruff"


def test_no_python_is_told(tmp_path: Path) -> None:
    """Without Python 3.11 the set-up says what to install, and makes no .venv."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "bin").mkdir()
    script = tmp_path / "scripts" / "setup"
    script.write_text((ROOT / "scripts" / "setup").read_text())
    for tool in ("bash", "dirname", "mkdir", "rm", "cat", "cut", "sha256sum"):
        found = _run("bash", "-c", f"command -v {tool}").stdout.strip()
        (tmp_path / "bin" / tool).symlink_to(found)
    old = tmp_path / "bin" / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    told = _run("bash", script, PATH=str(tmp_path / "bin"))
    assert told.returncode != 0
    assert "needs Python 3.11" in told.stderr
    assert not (tmp_path / ".venv").exists()


def test_constraints_pin_everything_with_hashes_and_no_address() -> None:
    """Each requirement has one version and at least one hash; nothing names where packages come from."""
    for name in ("constraints.txt", "scripts/node.txt", "scripts/zig.txt"):
        text = (ROOT / name).read_text().replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        assert lines
        assert all(re.match(r"[A-Za-z0-9._-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line) for line in lines)
        assert "://" not in text


@pytest.fixture
def build() -> object:
    """hatch_build.py as a module."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("hatch_build_under_test", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _fake_node(folder: Path, version: str) -> None:
    folder.mkdir()
    for name, text in (("node", f"echo {version}"), ("npm", "exit 0")):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("version", "fits"),
    [("v20.19.0", True), ("v20.18.3", False), ("v18.20.0", False), ("v24.1.0", True), ("odd", False)],
)
def test_a_system_node_must_be_new_enough(
    build: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, fits: bool
) -> None:
    """Node 20.19 and newer are used; older ones, and ones that do not say, are not."""
    _fake_node(tmp_path / "bin", version)
    monkeypatch.setenv("PATH", str(tmp_path / "bin") + ":/usr/bin:/bin")
    assert (build.system_node() is not None) == fits  # type: ignore[attr-defined]


def test_the_ui_digest_follows_its_sources(build: object, tmp_path: Path) -> None:
    """Another source is another digest; installed modules are not sources."""
    (tmp_path / "ui" / "node_modules").mkdir(parents=True)
    (tmp_path / "ui" / "index.html").write_text("a")
    first = build.sources_digest(tmp_path)  # type: ignore[attr-defined]
    (tmp_path / "ui" / "node_modules" / "x.js").write_text("b")
    assert build.sources_digest(tmp_path) == first  # type: ignore[attr-defined]
    (tmp_path / "ui" / "index.html").write_text("c")
    assert build.sources_digest(tmp_path) != first  # type: ignore[attr-defined]


def test_a_failing_ui_build_says_what_npm_said(
    build: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """npm's own words are in the error, not a traceback."""
    (tmp_path / "ui").mkdir()
    _fake_node(tmp_path / "bin", "v24.0.0")
    (tmp_path / "bin" / "npm").write_text("#!/bin/sh\necho 'lock file is odd'\nexit 1\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin") + ":/usr/bin:/bin")
    with pytest.raises(RuntimeError, match="lock file is odd"):
        build.npm(tmp_path, "ci")  # type: ignore[attr-defined]


@pytest.fixture
def checkout(build: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The C files alone, to be built there."""
    monkeypatch.delenv("BEHOLDEN_PURE_PYTHON", raising=False)
    monkeypatch.delenv("CC", raising=False)
    for source in build.C_FILES:  # type: ignore[attr-defined]
        (tmp_path / source).parent.mkdir(parents=True)
        (tmp_path / source).write_bytes((ROOT / source).read_bytes())
    return tmp_path


def _compiler(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (folder / "bin").mkdir()
    (folder / "bin" / "cc").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "bin" / "cc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/bin:/usr/bin")


def test_the_libraries_are_built_once(build: Any, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Again only when its source changes; the digest in the library is what says so."""
    _compiler(
        checkout,
        monkeypatch,
        f"echo x >>{checkout}/calls\n"
        "for word; do case $word in -DSOURCE=*) said=$word;; *.so) to=$word;; esac; done\n"
        'echo "$said" >"$to"',
    )
    assert build.build_libraries(checkout) == build.build_libraries(checkout) == ""
    assert (checkout / "calls").read_text() == "x\n" * len(build.C_FILES)
    (checkout / build.C_FILES[0]).write_text("int changed;")
    assert not build.has_libraries(checkout)
    assert build.build_libraries(checkout) == ""
    assert (checkout / "calls").read_text() == "x\n" * (1 + len(build.C_FILES))


def test_without_a_compiler_the_set_up_goes_on(
    build: Any, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence that says what it costs, and that a compiler may be fetched."""
    monkeypatch.setenv("PATH", str(checkout))
    assert build.lacks_compiler(checkout)
    told = build.build_libraries(checkout)
    assert "no C compiler" in told
    assert "CPU" in told
    assert not list(checkout.rglob("*.so"))
    monkeypatch.setenv("BEHOLDEN_PURE_PYTHON", "1")
    assert not build.lacks_compiler(checkout)
    assert build.build_libraries(checkout) == ""


@pytest.mark.parametrize("fault", ["echo 'odd flag' >&2; exit 1", "exit 0"])
def test_a_compiler_that_fails_costs_only_the_library(
    build: Any, checkout: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Its own words are told, and a library of an older source is not taken for the new one."""
    _compiler(checkout, monkeypatch, fault)
    (checkout / build.library_of(build.C_FILES[0])).write_bytes(b"of another source")
    told = build.build_libraries(checkout)
    assert told.startswith("The C compiler failed")
    assert ("odd flag" in told) == ("odd flag" in fault)
    assert not build.has_libraries(checkout)


def test_benchmarks_are_found_and_listed() -> None:
    """Every benchmark has a summary; an unknown name is refused."""
    listed = subprocess.run(
        [sys.executable, "-m", "benchmarks"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert "recording" in listed
    wrong = subprocess.run(
        [sys.executable, "-m", "benchmarks", "speed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert wrong.returncode == 2
