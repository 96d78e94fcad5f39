"""A coverage-guided fuzz run over everything that reads what a camera sends, and what lies on disk.

Every target (see ``targets``, which says how to add one) runs in a process of its own, so that a crash, a
hang or memory without bound of one is seen and does not end the others.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from beholden.model.errors import BeholdenError
from benchmarks.figures import Figures

SUMMARY = "coverage-guided fuzzing of RTSP, SDP, RTP and file reading: findings (none wanted)"
FIGURES = {
    "inputs": "inputs tried, all targets together",
    "findings": "inputs that crashed, hung or took too much memory (0 wanted)",
    "targets": "functions fuzzed",
    "worst_mb": "most memory any target's process had",
    "slowest_inputs_per_second": "of the slowest target",
}
SECONDS = 10
"""Longest an input may take; the machine may be busy."""
MEGABYTES = 768
"""Most memory a fuzzing process may have; the fuzzer itself and its inputs take about 150."""
GUIDED = ("beholden.ingest", "beholden.model.av1", "beholden.record.fmp4", "beholden.play.fragments")
"""Packages whose coverage guides the fuzzer."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much, and of what."""
    parser.add_argument("--runs", type=int, default=200_000, help="inputs for each target (200000)")
    parser.add_argument("--seconds", type=int, default=600, help="longest time for each target (600)")
    parser.add_argument("--target", action="append", help="only this one; may be repeated")
    parser.add_argument("--corpus", type=Path, help="keep inputs and findings in this directory")


def run(options: argparse.Namespace) -> Figures:
    """Fuzz one target after the other; BeholdenError ``no_fuzzer`` without atheris."""
    names = options.target or _names()
    with tempfile.TemporaryDirectory() as temporary:
        corpus = options.corpus or Path(temporary)
        rows = [_fuzz(name, options.runs, options.seconds, corpus) for name in names]
        found = [path.name for path in Path(corpus).glob("found-*")]
    figures = Figures(
        {
            "inputs": sum(int(row[1]) for row in rows),
            "findings": sum(row[4] != "0" for row in rows),
            "targets": len(rows),
            "worst_mb": max(int(row[3]) for row in rows),
            "slowest_inputs_per_second": min(float(row[2]) for row in rows),
        },
        ["target", "inputs", "inputs/s", "MB", "exit"],
        rows,
    )
    figures.notes = [f"found: {name}" for name in sorted(found)]
    return figures


def command(name: str, runs: int, seconds: int, corpus: Path) -> list[str]:
    """The command of one fuzzing process."""
    words = [sys.executable, "-m", "benchmarks.fuzz", name, "--runs", str(runs), "--seconds", str(seconds)]
    return [*words, "--corpus", str(corpus)]


def _names() -> list[str]:
    from benchmarks.fuzz.targets import TARGETS

    return sorted(TARGETS)


def _fuzz(name: str, runs: int, seconds: int, corpus: Path) -> list[str]:
    began = time.monotonic()
    done = subprocess.run(
        command(name, runs, seconds, corpus), capture_output=True, text=True, errors="replace", check=False
    )
    if "No module named 'atheris'" in done.stderr:
        raise BeholdenError("no_fuzzer", "The fuzzer atheris is not installed.", "Run scripts/setup.")
    inputs = _stat(done.stderr, "number_of_executed_units")
    pace = inputs / max(0.001, time.monotonic() - began)
    if done.returncode:
        print(done.stderr[-4000:], file=sys.stderr)
    return [name, str(inputs), f"{pace:.0f}", str(_stat(done.stderr, "peak_rss_mb")), str(done.returncode)]


def _stat(text: str, name: str) -> int:
    found = re.search(rf"stat::{name}:\s*(\d+)", text)
    return int(found[1]) if found else 0
