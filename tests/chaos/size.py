"""How large a run is: the specification's `ci` counts, or a share of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """A share of the full counts and durations."""

    share: float

    def count(self, full: int, least: int = 1) -> int:
        """So many of `full`, never fewer than `least`."""
        return max(least, round(full * self.share))

    def seconds(self, full: float, least: float = 2.0) -> float:
        """So much of `full` seconds, never less than `least`."""
        return max(least, full * self.share)


FULL = Size(1.0)
TENTH = Size(0.1)
