"""
Sealing: encrypt and open shop credentials, and keyed hashes of what is only compared.

Keys are Fernet keys (AES-128-CBC with HMAC-SHA256), newest first; the first seals, all open. Without SEALING_KEY one is made
once, mode 0600, beside the data. Hashes cannot be made anew, so their key is made once, from the oldest key there was, and is kept
sealed in the database (`resealing.settle`): then keys that seal can come and go.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from copy import copy
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from connector import decoding
from connector.config import Settings
from connector.errors import ConfigError

KEY_FILE = "sealing.key"


class Vault:
    """Seals and opens. Thread-safe. Until it is told its hash key, it takes the one that the oldest key makes."""

    def __init__(self, keys: list[str]) -> None:
        try:
            self._newest = MultiFernet([Fernet(key) for key in keys[:1]])
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise ConfigError("SEALING_KEY must hold url-safe base64 keys of 32 bytes, newest first, separated by commas") from error
        self._hash_key = hashlib.sha256(b"hash:" + keys[-1].encode()).digest()

    def seal(self, value: Mapping[str, str]) -> bytes:
        """Encrypt a flat mapping of texts."""
        return self._fernet.encrypt(msgspec.json.encode(dict(value)))

    def open(self, sealed: bytes) -> dict[str, str]:
        """Decrypt what `seal` made. Raises ConfigError if no key fits."""
        try:
            return decoding.decode(self._fernet.decrypt(sealed), dict[str, str])
        except InvalidToken as error:
            raise ConfigError("stored credentials were sealed with a key that SEALING_KEY does not name") from error

    def reseal(self, sealed: bytes) -> bytes | None:
        """The same, sealed with the newest key; None if it is already. Raises ConfigError if no key fits."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return self.seal(self.open(sealed))
        return None

    def keyed_hash(self, *parts: str) -> bytes:
        """32 bytes that tell equality and nothing else, whatever keys come and go."""
        return hmac.digest(self._hash_key, "\x1f".join(parts).encode(), "sha256")

    def seal_hash_key(self) -> bytes:
        """The key of the hashes, to be kept for `with_hash_key`."""
        return self.seal({"hash_key": self._hash_key.hex()})

    def with_hash_key(self, sealed: bytes) -> "Vault":
        """This vault with the hash key that was kept. Raises ConfigError if no key fits."""
        other = copy(self)
        other._hash_key = bytes.fromhex(self.open(sealed)["hash_key"])
        return other


def open_vault(settings: Settings) -> Vault:
    """The vault of this installation, from SEALING_KEY or the key file. Raises ConfigError."""
    if settings.sealing_key is not None:
        return Vault([key.strip() for key in settings.sealing_key.get_secret_value().split(",") if key.strip()])
    return Vault([secret_file(settings.data_dir / KEY_FILE, Fernet.generate_key().decode())])


def secret_file(path: Path, fresh: str) -> str:
    """The text of a 0600 file, written once with `fresh` if absent; of two processes at once, one writes and both read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    if not path.exists():
        temporary.touch(mode=0o600)
        temporary.write_text(fresh)
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text().strip()
