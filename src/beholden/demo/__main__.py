"""``python -m beholden.demo``: the demo, or (``cameras``) only its virtual cameras."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from beholden.demo import places
from beholden.model.errors import BeholdenError


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 done, 1 could not (one sentence on stderr), 2 wrongly asked, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["cameras"]:
            return _cameras(given[1:])
        return _demo(given)
    except BeholdenError as error:
        print(str(error), file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)  # noqa: T201
        return 130


def _demo(given: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Run Beholden on virtual cameras that show real footage. Ctrl-C stops everything.",
        epilog="The cameras alone, for other programs: python -m beholden.demo cameras --help",
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="the data directory (default: data)")
    parser.add_argument("--port", type=int, metavar="N", help="the port of the web UI (default: 8484)")
    parser.add_argument("--host", metavar="ADDRESS", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--cameras", type=_count, default=4, metavar="N", help="how many cameras (default: 4)"
    )
    options = parser.parse_args(given)
    from beholden.demo.run import run_demo

    data = options.data or places.default_data()
    run_demo(data, options.port, options.host, options.cameras, lambda text: print(text, flush=True))  # noqa: T201
    return 0


def _cameras(given: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m beholden.demo cameras",
        description="Serve virtual cameras over RTSP at /NAME/main and /NAME/sub until Ctrl-C.",
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="the RTSP port (default: any)")
    parser.add_argument(
        "--cameras", type=_count, default=4, metavar="N", help="how many of the demo's (default: 4)"
    )
    parser.add_argument(
        "--clip", action="append", default=[], metavar="NAME=MAIN[,SUB]", help="serve these files instead"
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(given)
    from beholden.demo import serve

    if options.child:
        from beholden.run.death import die_with_parent

        die_with_parent()
    if not options.clip:
        return serve.serve_demo(options.cameras, options.port)
    try:
        cameras = [serve.parse_clip(text) for text in options.clip]
    except ValueError as error:
        parser.error(str(error))
    return serve.serve_clips(cameras, options.port)


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 64:
        raise argparse.ArgumentTypeError("between 1 and 64")
    return value


if __name__ == "__main__":
    sys.exit(main())
