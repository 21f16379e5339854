"""Sealing and keyed hashes."""

import stat
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from connector.config import Settings
from connector.errors import ConfigError
from connector.store.sealed import KEY_FILE, Vault, open_vault, secret_file

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_what_is_sealed_can_be_opened_and_does_not_show() -> None:
    sealed = Vault([NEW]).seal({"access_token": "shpat_secret"})

    assert Vault([NEW]).open(sealed) == {"access_token": "shpat_secret"}
    assert b"shpat" not in sealed
    assert sealed != Vault([NEW]).seal({"access_token": "shpat_secret"})


def test_a_rotated_key_opens_what_the_old_one_sealed_and_keeps_the_hashes() -> None:
    before, after = Vault([OLD]), Vault([NEW, OLD])

    assert after.open(before.seal({"a": "b"})) == {"a": "b"}
    assert after.keyed_hash("x") == before.keyed_hash("x")
    with pytest.raises(ConfigError, match="SEALING_KEY does not name"):
        before.open(after.seal({"a": "b"}))


def test_a_keyed_hash_tells_equality_only() -> None:
    vault = Vault([NEW])

    assert vault.keyed_hash("a", "b") == vault.keyed_hash("a", "b")
    assert len({vault.keyed_hash("a", "b"), vault.keyed_hash("ab"), vault.keyed_hash("b", "a"), Vault([OLD]).keyed_hash("a", "b")}) == 4
    assert len(vault.keyed_hash("a")) == 32


@pytest.mark.parametrize("keys", [[], ["short"], [NEW, "not a key"]])
def test_keys_that_are_none_are_refused_with_the_cure(keys: list[str]) -> None:
    with pytest.raises(ConfigError, match="32 bytes"):
        Vault(keys)


def test_the_vault_takes_its_keys_from_the_setting(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "sealing_key": f"{NEW}, {OLD}"})

    assert open_vault(settings).open(Vault([OLD]).seal({"a": "b"})) == {"a": "b"}
    assert list(tmp_path.iterdir()) == []


def test_without_a_setting_a_key_is_made_once_that_only_its_owner_can_read(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path / "var"})
    sealed = open_vault(settings).seal({"a": "b"})

    assert open_vault(settings).open(sealed) == {"a": "b"}
    path = tmp_path / "var" / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == [KEY_FILE]


def test_processes_that_start_together_agree_on_one_secret(tmp_path: Path) -> None:
    path, read = tmp_path / "key", []
    start = threading.Barrier(8)

    def make(number: int) -> None:
        start.wait()
        read.append(secret_file(path, f"fresh {number}"))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(read)) == 1
    assert [found.name for found in tmp_path.iterdir()] == ["key"]
