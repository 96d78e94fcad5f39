"""``python -m beholden.analyse.detect.build [--keep]``: rebuild the default detector and compare it."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import onnx

from beholden.analyse.detect.build.calibrate import frames, quantise
from beholden.analyse.detect.build.convert import convert
from beholden.analyse.detect.build.frozen import read_graph
from beholden.analyse.detect.build.packages import fetch
from beholden.analyse.detect.card import read_card
from beholden.analyse.detect.network import DEFAULT_CARD

OUTPUT_NAMES = (
    "scores_8",
    "scores_16",
    "scores_32",
    "distances_8",
    "distances_16",
    "distances_32",
)


def main() -> int:
    """Fetch, convert, quantise, and say whether the result is the pinned one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cache", type=Path, default=Path(".cache/packages"), help="where downloads are kept"
    )
    parser.add_argument("--into", type=Path, default=Path(".cache"), help="where the weights are written")
    options = parser.parse_args()
    card = read_card(DEFAULT_CARD)
    assert card.input is not None
    sources = fetch(options.cache)
    graph = convert(read_graph(sources.graph), card.input.height, card.input.width, OUTPUT_NAMES)
    whole = options.into / "nanodet_g_fp32.onnx"
    onnx.save(graph, whole)
    weights = options.into / card.file
    quantise(whole, weights, frames(sources.footage), card.input)
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    print(f"{weights}  {weights.stat().st_size} bytes  SHA-256 {found}")
    if found != card.sha256:
        print(f"differs from the pinned SHA-256 {card.sha256}")
        return 1
    print("the same as the pinned one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
