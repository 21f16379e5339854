"""How much room a disk has left."""

import shutil
from pathlib import Path


def free_bytes(directory: Path) -> int | None:
    """Room on the disk of a directory that may not be there yet; None where that cannot be told."""
    for place in (directory, *directory.absolute().parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None
