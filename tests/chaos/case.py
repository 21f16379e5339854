"""What a case of the fault kit is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.report import Row
from tests.chaos.size import Size

Run = Callable[[Size, int, Path], list[Row]]


@dataclass(frozen=True, slots=True)
class Case:
    """
    One story with faults. `run(size, seed, directory)` gets a fresh directory and returns a row for each id it proves.

    `alone`: its figure is a timing, so nothing else may run beside it when timings count. `seconds`: about how long a tenth of it
    takes; whoever runs several begins with the longest.
    """

    name: str
    ids: tuple[str, ...]
    run: Run
    alone: bool = False
    seconds: float = 30.0
