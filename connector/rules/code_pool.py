"""Unique codes: how they are written, how many are kept ready, when those that nobody used are cleared away."""

from datetime import timedelta

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""32 signs without I, O, 0 and 1, which people mistake for each other."""
LENGTH = 13
"""65 random bits (SEC-215)."""
SMALLEST = 8
LARGEST = 250
KEPT = timedelta(days=30)
"""So long after their end codes that nobody used stay in the store (C52)."""


def spell(bits: int, prefix: str = "") -> str:
    """A code of the lowest 65 of `bits`, behind its prefix and a dash if there is one."""
    signs = "".join(ALPHABET[bits >> 5 * place & 31] for place in range(LENGTH))
    return f"{prefix}-{signs}" if prefix else signs


def pool_size(given_lately: int) -> int:
    """How many codes of a series should be ready, after so many were given in the last day."""
    return min(LARGEST, max(SMALLEST, given_lately))


def missing_from_pool(free: int, size: int) -> int:
    """How many to make now: none while a quarter or more of the pool is left (BX-10), else what fills it."""
    return size - free if 4 * free < size else 0
