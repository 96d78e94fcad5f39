"""Where things are: the few settings needed before the catalog can be read.

Everything a person changes in daily use lives in the catalog and the UI. A value comes from, in
this order: the command line, the environment (``BEHOLDEN_*``), ``beholden.toml`` in the data
directory, the default.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from beholden import native
from beholden.model.errors import BeholdenError

FILE_NAME = "beholden.toml"
PREFIX = "BEHOLDEN_"
# Read by others than this class: BEHOLDEN_FOOTAGE names clips for tests and the demonstration,
# BEHOLDEN_PURE_PYTHON reads cameras without compiled code, BEHOLDEN_INTERPRETED without compiled modules
# (native.py).
FOREIGN = frozenset({"BEHOLDEN_FOOTAGE", *native.OFF})


class Settings(BaseSettings):
    """Ports and paths.

    ``host`` is 127.0.0.1 unless chosen: a new installation is reachable from the machine itself
    only, until its owner says otherwise or puts a TLS proxy in front.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    data: Path
    host: str = "127.0.0.1"
    port: int = Field(default=8484, ge=1, le=65535)
    volume: Path | None = None  # the first storage directory; None means DIR/footage
    public_url: str | None = None  # how browsers reach it when it stands behind a proxy
    tls_cert: Path | None = None  # PEM, with its chain; only when no proxy in front speaks TLS
    tls_key: Path | None = None
    logs: Literal["console", "json"] = "console"
    model: str = ""  # models/NAME.toml in the data directory; empty for the detector that came along

    @model_validator(mode="after")
    def _check_together(self) -> Settings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key are given together")
        if self.public_url is not None and not self.public_url.startswith(("http://", "https://")):
            raise ValueError("public_url begins with http:// or https://")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """No .env file is read, so that the working directory cannot change what runs."""
        file = _TomlSource(settings_cls, init_settings().get("data"))
        return init_settings, env_settings, file

    @property
    def footage_directory(self) -> Path:
        """The first volume."""
        return (self.volume or self.data / "footage").absolute()

    @property
    def base_url(self) -> str:
        """The address a person opens."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        host = "127.0.0.1" if self.host in ("", "0.0.0.0") else "::1" if self.host == "::" else self.host  # noqa: S104
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self.tls_cert else 'http'}://{shown}:{self.port}"


def load(**given: Any) -> Settings:
    """The settings in force. ``given`` are what the command line said; None means not said.

    Raises BeholdenError ``bad_settings``, which names the setting and where it stands.
    """
    said = {key: value for key, value in given.items() if value is not None}
    _refuse_unknown_environment()
    try:
        return Settings(**said)
    except ValidationError as error:
        raise _told_plainly(error) from None


class _TomlSource(PydanticBaseSettingsSource):
    """``beholden.toml``; paths in it are relative to the data directory."""

    def __init__(self, settings_cls: type[BaseSettings], data: Path | None) -> None:
        super().__init__(settings_cls)
        chosen = data or os.environ.get(PREFIX + "DATA")
        self._values = _read_file(Path(chosen)) if chosen else {}

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


def _read_file(data: Path) -> dict[str, Any]:
    path = data / FILE_NAME
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise _bad(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _bad(f"{path} is not valid TOML: {error}.") from error
    if "data" in values:
        raise _bad(f"{path} sets data, but it lies in the data directory itself.", "Remove that line.")
    unknown = sorted(set(values) - set(Settings.model_fields))
    if unknown:
        raise _bad(f"{path} has no setting named {unknown[0]!r}.", _known())
    for name in ("volume", "tls_cert", "tls_key"):
        if isinstance(values.get(name), str):
            values[name] = data / values[name]
    return values


def _refuse_unknown_environment() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | FOREIGN
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise _bad(f"The environment variable {unknown[0]} is not a setting of Beholden.", _known())


def _known() -> str:
    names = ", ".join(name for name in Settings.model_fields if name != "data")
    return f"The settings are {names}; everything else is changed in the UI."


def _told_plainly(error: ValidationError) -> BeholdenError:
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in first["loc"]) or "settings"
    if first["type"] == "missing":
        return _bad("No data directory was given.", "Give one with --data DIR or BEHOLDEN_DATA.")
    reason = first["msg"].removeprefix("Value error, ")
    return _bad(f"The setting {name!r} cannot be used: {reason}.", "Correct it and start again.")


def _bad(message: str, next_step: str = "Correct the file and start again.") -> BeholdenError:
    return BeholdenError("bad_settings", message, next_step)
