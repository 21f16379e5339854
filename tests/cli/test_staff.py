"""Our own people and our own keys, from the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, text
from typer.testing import CliRunner, Result

from connector.cli import app, staff
from connector.store import resealing, shops
from connector.store.db import Database, engine_url
from connector.store.passwords import is_password
from connector.store.sealed import Vault
from tests.conftest import install

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
PASSWORD = "correct horse battery"
EMAIL = "sam@example.org"

Call = Callable[..., Result]


@pytest.fixture
def call(url: str, tmp_path: Path) -> Call:
    """Run a command on it."""

    def run(*arguments: str, piped: str | None = None, key: str = OLD) -> Result:
        env = {"DATABASE_URL": url, "DATA_DIR": str(tmp_path), "SEALING_KEY": key, "PUBLIC_URL": "https://connector.test"}
        return CliRunner().invoke(app, list(arguments), env=env, input=piped)

    return run


def rows(url: str, statement: str) -> list[dict[str, Any]]:
    engine = create_engine(engine_url(url))
    try:
        with engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement)).mappings()]
    finally:
        engine.dispose()


def add(call: Call, email: str = EMAIL, password: str = PASSWORD, role: str = "support") -> Result:
    return call("staff", "add", email, "--name", "Sam", "--role", role, piped=f"{password}\n")


def test_a_person_is_let_in_with_a_piped_password_that_is_neither_kept_nor_shown(call: Call, url: str) -> None:
    result = add(call)
    assert result.exit_code == 0, result.output
    assert "sam@example.org may sign in at https://connector.test/support/sign-in as support." in result.output
    assert PASSWORD not in result.output
    (row,) = rows(url, "select * from staff")
    assert (row["email_norm"], row["name"], row["role"], row["totp_secret"]) == (EMAIL, "Sam", "support", None)
    assert is_password(PASSWORD, row["password_hash"])
    (entry,) = rows(url, "select * from audit_entries")
    assert (entry["actor"], entry["action"], entry["object"]) == ("command line", "staff.added", row["public_id"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"password": "elevensigns"}, "12 to 1024 signs"),
        ({"role": "owner"}, "say viewer, support, admin"),
        ({"email": "nonsense"}, "not an e-mail address"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(call: Call, url: str, change: dict[str, str], says: str) -> None:
    result = add(call, **change)
    assert result.exit_code == 1
    assert says in result.output
    assert rows(url, "select * from staff") == []


def test_nobody_is_added_twice(call: Call) -> None:
    add(call)
    result = add(call, "SAM@example.org")
    assert result.exit_code == 1
    assert result.output.strip().endswith("sam@example.org is there already.")


def test_on_a_terminal_the_password_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    typed: list[str] = []

    def ask(prompt: str) -> str:
        typed.append(prompt)
        return PASSWORD if len(typed) < 4 else "something else here"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", ask)
    assert staff._ask_password() == PASSWORD
    assert len(typed) == 2
    with pytest.raises(Exception, match="not the same"):
        staff._ask_password()


def test_people_are_listed_disabled_and_get_a_new_second_factor(call: Call, url: str) -> None:
    add(call)
    with_factor = create_engine(engine_url(url))
    with with_factor.begin() as connection:
        connection.execute(text("update staff set totp_secret = 'x', totp_confirmed_at = now()"))
    with_factor.dispose()
    listed = call("staff", "list").output
    assert all(word in listed for word in (EMAIL, "Sam", "support", "set up", "active"))

    assert "new authenticator app" in call("staff", "reset-second-factor", EMAIL).output
    assert "not yet" in call("staff", "list").output
    assert "may not sign in any more" in call("staff", "disable", EMAIL).output
    assert "disabled" in call("staff", "list").output
    gone = call("staff", "disable", EMAIL)
    assert gone.exit_code == 1
    assert "nobody with the address" in gone.output
    actions = [row["action"] for row in rows(url, "select action from audit_entries order by id")]
    assert actions == ["staff.added", "staff.second_factor_reset", "staff.disabled"]


@pytest.mark.spec("SEC-231")
def test_what_is_sealed_is_sealed_anew_until_the_old_key_can_go(call: Call, url: str) -> None:
    database = Database(url)
    try:
        with database.system_transaction("test") as session:
            before = resealing.settle(session, Vault([OLD]))
        for number in range(resealing.BATCH + 5):
            install(database, before, "shopify", f"s{number}.myshopify.com", f"Shop {number}")

        result = call("reseal", key=f"{NEW},{OLD}")
        assert result.exit_code == 0, result.output
        assert f"{2 * (resealing.BATCH + 5) + 1} values were sealed" in result.output
        assert "0 values were sealed" in call("reseal", key=f"{NEW},{OLD}").output
        with database.system_transaction("test") as session:
            after = resealing.settle(session, Vault([NEW]))
            opened = [shops.open_access(after, shop).credentials for shop in shops.list_shops(session)]
        assert opened == [{"access_token": f"token-of-s{number}.myshopify.com"} for number in range(resealing.BATCH + 5)]
        assert after.keyed_hash("x") == before.keyed_hash("x")
    finally:
        database.close()
