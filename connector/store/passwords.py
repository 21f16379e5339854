"""Passwords of our own people: Argon2id with what OWASP recommends (19 MiB, 2 passes, 1 lane)."""

import os
from functools import cache

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

MEMORY_KIB = 19_456
PASSES = 2
LANES = 1
LENGTH = 32
SALT_BYTES = 16
SHORTEST = 12
LONGEST = 1_024
"""Signs of a password; what is behind the last one does not count."""


def hash_password(password: str) -> str:
    """The form in which a password is kept (PHC string)."""
    kdf = Argon2id(salt=os.urandom(SALT_BYTES), length=LENGTH, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)
    return kdf.derive_phc_encoded(_as_bytes(password))


def is_password(password: str, hashed: str) -> bool:
    """Whether it is the password of that hash; False for what is no hash. A wrong one takes as long as the right one."""
    try:
        Argon2id.verify_phc_encoded(_as_bytes(password), hashed)
    except InvalidKey:
        return False
    return True


@cache
def spare_hash() -> str:
    """A hash that no password fits: who is unknown is answered as slowly as who is known."""
    return hash_password(os.urandom(LENGTH).hex())


def _as_bytes(password: str) -> bytes:
    return password[:LONGEST].encode(errors="surrogatepass")
