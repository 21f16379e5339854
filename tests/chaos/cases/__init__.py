"""
The cases: every module in this folder has `CASE` or `CASES`.

A module that cannot be imported is a case that fails, so that it hides neither itself nor the others.
"""

import importlib
import pkgutil
from pathlib import Path

from tests.chaos.case import Case
from tests.chaos.report import Row
from tests.chaos.size import Size


def _broken(name: str, error: Exception) -> Case:
    def run(size: Size, seed: int, directory: Path) -> list[Row]:
        raise error

    return Case(name, (), run)


_found: list[Case] = []
for _info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
    try:
        _module = importlib.import_module(f"{__name__}.{_info.name}")
        _found += getattr(_module, "CASES", None) or (_module.CASE,)
    except Exception as _error:
        _found.append(_broken(_info.name, _error))

CASES: tuple[Case, ...] = tuple(_found)
