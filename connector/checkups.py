"""
What is found when a shop's connection is examined. Frozen values.

A check says what was seen; what it means and what helps is for pages and the command line to say, in the reader's language.
"""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How something stands. UNKNOWN: the store does not tell."""

    GOOD = "good"
    ATTENTION = "attention"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """
    One thing that was looked at. `code` names it (snake case, stable); `found`: what was seen, as short facts without personal data.

    `cause`: which of a check's reasons holds, where its cure depends on it; "" if there is one cure only.
    """

    code: str
    verdict: Verdict
    found: tuple[str, ...] = ()
    cause: str = ""
