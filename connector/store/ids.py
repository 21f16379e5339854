"""Public identifiers: a prefix for the kind and a UUIDv7, so that they sort by time and tell nothing else."""

import os
import secrets
import time
import uuid

RANDOM_BYTES = 10
VERSION, VARIANT = 0x7, 0x2
RANDOM_MASK = (1 << 80) - 1 & ~(0xF << 76) & ~(0x3 << 62)


def public_id(prefix: str) -> str:
    """A new identifier such as `chk_0198c5f2-…`."""
    return public_ids(prefix, 1)[0]


def public_ids(prefix: str, count: int) -> list[str]:
    """So many new identifiers at once: each question for random bits lets other threads in front, and a sync needs thousands."""
    # Spelled here: a sync makes three for each order, and the standard library's way by a UUID takes half as long again.
    spelled = (f"{value:032x}" for value in _values(count))
    return [f"{prefix}_{one[:8]}-{one[8:12]}-{one[12:16]}-{one[16:20]}-{one[20:]}" for one in spelled]


def uuid7() -> uuid.UUID:
    """RFC 9562 version 7: 48 bits of milliseconds, 74 random bits. Python offers it from 3.14 on."""
    return uuid.UUID(int=_values(1)[0])


def token() -> str:
    """128 random bits for a link that acts: 22 characters of A-Z a-z 0-9 - _."""
    return secrets.token_urlsafe(16)


def _values(count: int) -> list[int]:
    noise = os.urandom(RANDOM_BYTES * count)
    fixed = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | VERSION << 76 | VARIANT << 62
    return [
        fixed | int.from_bytes(noise[start : start + RANDOM_BYTES], "big") & RANDOM_MASK
        for start in range(0, RANDOM_BYTES * count, RANDOM_BYTES)
    ]
