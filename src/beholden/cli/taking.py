"""Options that several commands take, written once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

Command = Callable[..., None]


def taking(options: Callable[..., dict[str, Any]]) -> Callable[[Command], Command]:
    """A decorator that gives a command the options of this function after its own. The command gets what the
    function made of them as ``settings``."""

    def decorate(command: Command) -> Command:
        added = inspect.signature(options).parameters
        own = [each for each in inspect.signature(command).parameters.values() if each.name != "settings"]

        @functools.wraps(command)
        def with_settings(**values: Any) -> None:
            given = options(**{name: values.pop(name) for name in added})
            command(**values, settings=given)

        hints = get_type_hints(command, include_extras=True) | get_type_hints(options, include_extras=True)
        shown = [
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[each.name])
            for each in (*own, *added.values())
        ]
        with_settings.__annotations__ = {each.name: each.annotation for each in shown}
        with_settings.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        return with_settings

    return decorate
