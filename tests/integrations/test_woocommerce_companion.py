"""The companion plugin as one file that WordPress takes."""

import io
import os
import zipfile
from pathlib import Path

import pytest

from connector.errors import ConfigError
from integrations import registry
from integrations.woocommerce.companion import FOLDER, companion_plugin, own_version, write_plugin

HEADER = "<?php\n/**\n * Plugin Name: Connector Carts\n * Version: 1.2.3\n */\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small plugin."""
    (tmp_path / "includes").mkdir()
    (tmp_path / "connector-carts.php").write_text(HEADER)
    (tmp_path / "includes" / "class-b.php").write_text("<?php // b")
    (tmp_path / "includes" / "class-a.php").write_text("<?php // é")
    return tmp_path


def test_every_file_lies_in_one_folder_that_is_called_like_the_plugin(folder: Path) -> None:
    (folder / ".DS_Store").write_text("x")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    (folder / "outside.php").symlink_to(__file__)
    plugin = companion_plugin(folder)
    with zipfile.ZipFile(io.BytesIO(plugin.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "connector-carts/connector-carts.php",
            "connector-carts/includes/class-a.php",
            "connector-carts/includes/class-b.php",
        ]
        assert archive.read("connector-carts/includes/class-a.php").decode() == "<?php // é"
        assert {one.external_attr >> 16 for one in archive.infolist()} == {0o100644}
    assert (plugin.file_name, plugin.version) == ("connector-carts.zip", "1.2.3")


def test_the_same_files_give_the_same_bytes_whenever_they_were_written(folder: Path) -> None:
    first = companion_plugin(folder).content
    for path in sorted(folder.rglob("*.php")):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o600)
    assert companion_plugin(folder).content == first
    (folder / "includes" / "class-b.php").write_text("<?php // c")
    assert companion_plugin(folder).content != first


@pytest.mark.parametrize("header", [None, "<?php\n", "<?php\n// The Version: of this\n", "<?php\n/*\n * Version:\n */"])
def test_without_a_version_there_is_no_plugin(folder: Path, header: str | None) -> None:
    main = folder / "connector-carts.php"
    if header is None:
        main.unlink()
    else:
        main.write_text(header)
    assert own_version(folder) == ""
    with pytest.raises(ConfigError):
        companion_plugin(folder)


def test_it_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    file = write_plugin(tmp_path / "dist")
    assert file == tmp_path / "dist" / "connector-carts.zip"
    assert file.read_bytes() == companion_plugin().content
    assert write_plugin(tmp_path / "dist") == file, "twice is fine"


def test_ours_is_complete() -> None:
    plugin = registry.companion_plugin()
    assert plugin.version == own_version()
    with zipfile.ZipFile(io.BytesIO(plugin.content)) as archive:
        names = {name.removeprefix("connector-carts/") for name in archive.namelist()}
    assert {"connector-carts.php", "readme.txt", "uninstall.php"} <= names
    assert names == {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file() and not path.name.startswith(".")}
