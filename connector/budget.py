"""How many calls a shop still takes: what whoever calls a platform asks and tells about it."""

from typing import Protocol


class Budget(Protocol):
    """
    How many calls a shop still takes, shared by all who call it. Points are the platform's own measure.

    One shop's wait is nobody else's.
    """

    def reserve(self, key: str, points: float) -> float:
        """Set `points` aside; returns the seconds to wait before they may be used, 0 for the first call of all."""
        ...

    def give_back(self, key: str, points: float) -> None:
        """Points that were set aside and not used."""
        ...

    def learn(self, key: str, available: float, maximum: float, per_second: float) -> None:
        """What the platform says of its bucket, in an answer that has just come."""
        ...
