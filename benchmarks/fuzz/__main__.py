"""One fuzzing process: ``python -m benchmarks.fuzz NAME --runs N --corpus DIR [--seconds S]``; NAME may be
``all``.

Needs atheris. Exit code 0 when nothing was found; else libFuzzer's, with the input it found in the corpus
directory.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import atheris

from benchmarks.fuzz import GUIDED, MEGABYTES, SECONDS

with atheris.instrument_imports(include=list(GUIDED)):
    from benchmarks.fuzz import targets


def main() -> None:
    """Does not return: the fuzzer ends the process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz")
    parser.add_argument("name", choices=[*targets.TARGETS, "all"])
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--corpus", type=Path, required=True)
    options = parser.parse_args()
    corpus: Path = options.corpus / options.name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(_seeds(options.name)):
        (corpus / f"seed-{number:03}").write_bytes(seed)
    words = [
        sys.argv[0], f"-runs={options.runs}", f"-max_total_time={options.seconds}", f"-timeout={SECONDS}",
        f"-rss_limit_mb={MEGABYTES}", "-max_len=4096", "-seed=1", "-verbosity=1", "-print_final_stats=1",
        f"-artifact_prefix={options.corpus}/found-{options.name}-", str(corpus),
    ]  # fmt: skip
    fuzzed = targets.everything if options.name == "all" else targets.TARGETS[options.name].fuzzed
    atheris.Setup(words, fuzzed)
    atheris.Fuzz()


def _seeds(name: str) -> list[bytes]:
    if name != "all":
        return list(targets.TARGETS[name].seeds)
    return [
        bytes((place,)) + seed
        for place, each in enumerate(sorted(targets.TARGETS))
        for seed in targets.TARGETS[each].seeds
    ]


if __name__ == "__main__":
    main()
