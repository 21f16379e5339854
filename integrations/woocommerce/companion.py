"""The companion plugin as the file that a merchant uploads to WordPress."""

import io
import re
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from connector.errors import ConfigError

FOLDER = Path(__file__).parent / "plugin"
NAME = "connector-carts"
FILE_NAME = f"{NAME}.zip"
_VERSION = re.compile(r"^[ \t*]*Version:\s*([0-9][0-9A-Za-z.+-]*)\s*$", re.MULTILINE)
_MIDNIGHT = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class CompanionPlugin:
    """An installable zip: what the file is called, its version, its bytes."""

    file_name: str
    version: str
    content: bytes = field(repr=False)


def companion_plugin(folder: Path = FOLDER) -> CompanionPlugin:
    """
    The plugin of this version of ours; the same files give the same bytes.

    Files are stored as they are: packed, their bytes would depend on the library that packs. Raises ConfigError if the main
    file is not there or names no version.
    """
    version = own_version(folder)
    if not version:
        raise ConfigError("the companion plugin is not part of this installation")
    return CompanionPlugin(FILE_NAME, version, _packed(folder))


def write_plugin(target: Path) -> Path:
    """Put the installable zip into a folder, which is made if it is not there; returns the file."""
    plugin = companion_plugin()
    target.mkdir(parents=True, exist_ok=True)
    file = target / plugin.file_name
    file.write_bytes(plugin.content)
    return file


def own_version(folder: Path = FOLDER) -> str:
    """The version that our plugin's main file names; empty without such a file."""
    try:
        found = _VERSION.search((folder / f"{NAME}.php").read_text(encoding="utf-8"))
    except OSError:
        return ""
    return found[1] if found else ""


def _packed(folder: Path) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*"), key=lambda one: one.relative_to(folder).as_posix()):
            inside = path.relative_to(folder)
            if path.is_symlink() or not path.is_file() or any(part.startswith(".") for part in inside.parts):
                continue
            entry = zipfile.ZipInfo(f"{NAME}/{inside.as_posix()}", _MIDNIGHT)
            entry.external_attr, entry.create_system = _MODE, 3
            archive.writestr(entry, path.read_bytes())
    return target.getvalue()


if __name__ == "__main__":
    write_plugin(Path(sys.argv[1]))
