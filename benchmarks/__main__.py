"""``python -m benchmarks NAME [--json]``. A benchmark is a module here with ``SUMMARY``, ``FIGURES`` (name
to meaning),
``add_arguments(parser)`` if it takes any, and ``run(options) -> Figures``. There is no list to keep: files
are found.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from types import ModuleType

import benchmarks
from beholden.model.errors import BeholdenError
from benchmarks.figures import as_json, as_table


def registry() -> dict[str, ModuleType]:
    """Every benchmark by name."""
    names = [found.name for found in pkgutil.iter_modules(benchmarks.__path__)]
    modules = {name: importlib.import_module(f"benchmarks.{name}") for name in names if name != "__main__"}
    return {name: module for name, module in modules.items() if hasattr(module, "SUMMARY")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 measured, 1 could not, 2 wrongly asked."""
    found = registry()
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure Beholden against a peer.")
    each = parser.add_subparsers(dest="name", metavar="NAME")
    for name, module in found.items():
        one = each.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        one.add_argument("--json", action="store_true", help="print one JSON object of named figures")
        if hasattr(module, "add_arguments"):
            module.add_arguments(one)
    options = parser.parse_args(arguments)
    if options.name is None:
        print("\n".join(f"{name:12} {module.SUMMARY}" for name, module in found.items()))
        return 0
    try:
        figures = found[options.name].run(options)
    except BeholdenError as error:
        print(str(error), file=sys.stderr)
        return 1
    print(as_json(figures) if options.json else as_table(figures, found[options.name].FIGURES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
