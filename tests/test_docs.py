"""The README is true: settings, commands and links in it exist, and nothing that exists is missing there."""

import re
from pathlib import Path

import typer

from connector.cli import app
from connector.config import SANDBOX_ONLY, Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_setting_is_explained_and_no_other() -> None:
    table = README.split("## Settings")[1].split("## ")[0]
    named = {name for row in table.splitlines() if row.startswith("| `") for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}
    assert named == {name.upper() for name in Settings.model_fields}


def test_every_command_is_explained_and_no_other() -> None:
    group = typer.main.get_command(app)
    table = README.split("## Commands")[1].split("## ")[0]
    first = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = {name for cell in first for name in re.findall(r"`(?:connector )?([a-z]+)[^`]*`", cell)} - {"off"}
    assert named == set(getattr(group, "commands"))  # noqa: B009 - typer gives a plain click group


def test_the_two_commands_and_the_others_are_targets_of_make() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_every_file_the_readme_names_exists() -> None:
    paths = re.findall(r"\]\(([^)#:]+)\)", README) + re.findall(r"`((?:connector|integrations|webhooks|sync|tests)/[\w/.]+)`", README)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_sandbox_only_settings_are_said_to_be_so() -> None:
    row = next(row for row in README.splitlines() if row.startswith("| `SANDBOX`"))
    assert all(f"`{name.upper()}`" in row for name in SANDBOX_ONLY)
    assert "refused outside sandbox mode" in row
