"""Sealing camera passwords: AES-256-GCM under the key file of the data directory."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from beholden.model.errors import BeholdenError

KEY_FILE = "secret.key"
_NONCE = 12


class SecretBox:
    """Seals and opens short texts. The key never leaves the object."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def open(cls, directory: Path) -> SecretBox:
        """The box of a data directory; its key file (mode 0600) is made when there is none."""
        path = directory / KEY_FILE
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls(_read_key(path))
        except OSError as error:
            raise BeholdenError(
                "data_not_writable",
                f"{path} cannot be written: {error.strerror}.",
                "Make the data directory writable for this user.",
            ) from error
        key = AESGCM.generate_key(256)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        return cls(key)

    def seal(self, text: str, context: str) -> bytes:
        """The sealed text; ``context`` must be the same when opening, so rows cannot be swapped."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, text.encode(), context.encode())

    def unseal(self, sealed: bytes, context: str) -> str:
        """The clear text; BeholdenError when the key file is not the one it was sealed with."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], context.encode()).decode()
        except InvalidTag:
            raise BeholdenError(
                "wrong_secret_key",
                "A camera password cannot be opened: secret.key is not the key it was sealed with.",
                "Restore secret.key from the backup made with this catalog, or enter the password again.",
            ) from None


def _read_key(path: Path) -> bytes:
    try:
        key = path.read_bytes()
    except OSError as error:
        raise BeholdenError(
            "secret_key_unreadable",
            f"{path} cannot be read: {error.strerror}.",
            "Run as the user who owns the data directory.",
        ) from error
    if len(key) != 32:
        raise BeholdenError(
            "secret_key_damaged", f"{path} is damaged.", "Restore it from the backup made with this catalog."
        )
    return key
