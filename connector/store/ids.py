"""Public identifiers: a prefix for the kind and a UUIDv7, so that they sort by time and tell nothing else."""

import secrets
import time
import uuid


def public_id(prefix: str) -> str:
    """A new identifier such as `chk_0198c5f2-…`."""
    return f"{prefix}_{uuid7()}"


def uuid7() -> uuid.UUID:
    """RFC 9562 version 7: 48 bits of milliseconds, 74 random bits. Python offers it from 3.14 on."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value & (1 << 128) - 1)


def token() -> str:
    """128 random bits for a link that acts: 22 characters of A-Z a-z 0-9 - _."""
    return secrets.token_urlsafe(16)
