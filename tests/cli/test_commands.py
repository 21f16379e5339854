"""The commands that manage shops, and how the command line says what is wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from connector.cli import app
from connector.platforms import BadSignature
from connector.store import automations, deliveries, shops
from connector.store.db import Database
from connector.store.sealed import Vault
from tests.conftest import SEALING_KEY, TestShop, install

Call = Callable[..., Result]


@pytest.fixture
def call(url: str, tmp_path: Path) -> Call:
    def run(*arguments: str, **environment: str) -> Result:
        env = {"DATABASE_URL": url, "DATA_DIR": str(tmp_path), "SEALING_KEY": SEALING_KEY, "SMTP_URL": "smtp://127.0.0.1:1"}
        return CliRunner().invoke(app, list(arguments), env=env | environment)

    return run


@pytest.fixture
def shop(url: str) -> TestShop:
    database = Database(url)
    try:
        return install(database, Vault([SEALING_KEY]), "shopify", "demo.myshopify.com", "Démo")
    finally:
        database.close()


def is_on(url: str, shop: TestShop) -> bool:
    database = Database(url)
    try:
        with database.transaction(shop=shop.id) as session:
            return automations.get_automation(session, shop.id).is_on
    finally:
        database.close()


def test_migrate_brings_a_database_up_to_date(call: Call) -> None:
    result = call("migrate")
    assert (result.exit_code, result.output) == (0, "The database is up to date.\n")


def test_shops_are_listed_with_their_automation(call: Call, shop: TestShop) -> None:
    result = call("shops")
    assert result.exit_code == 0
    assert "demo.myshopify.com" in result.output
    assert "connected" in result.output
    assert "off" in result.output


@pytest.mark.spec("SQ-01")
def test_the_automation_is_off_until_it_is_turned_on(call: Call, shop: TestShop, url: str) -> None:
    assert not is_on(url, shop)
    assert call("automation", shop.domain, "on").exit_code == 0
    assert is_on(url, shop)
    result = call("automation", shop.domain, "off")
    assert "0 queued messages were cancelled" in result.output
    assert not is_on(url, shop)


def test_turning_on_is_refused_with_the_reason(call: Call, shop: TestShop, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(
        app, ["automation", shop.domain, "on"], env={"DATABASE_URL": url, "SEALING_KEY": SEALING_KEY, "SMTP_URL": None}
    )
    assert result.exit_code == 1
    assert "SMTP_URL" in result.output
    assert not is_on(url, shop)
    assert call("automation", shop.domain, "perhaps").exit_code == 1


def test_an_unknown_shop_is_named(call: Call) -> None:
    result = call("automation", "nowhere.example", "on")
    assert result.exit_code == 1
    assert "there is no shop 'nowhere.example'" in result.output


def test_kept_deliveries_are_handled_again(call: Call, shop: TestShop, url: str) -> None:
    database = Database(url)
    try:
        with database.engine.begin() as connection:
            connection.exec_driver_sql(
                "with d as (insert into deliveries (key, shop_id, platform, topic, state, received_at, received_on) values "
                f"('k', {shop.id}, 'shopify', 'orders/paid', 'quarantined', app_now(), current_date) returning *) "
                "insert into delivery_bodies (received_on, delivery_id, shop_id, headers, body) "
                "select received_on, id, shop_id, '', '{}' from d"
            )
        result = call("replay", shop.domain)
        assert "1 deliveries of Démo wait again" in result.output
        with database.transaction(shop=shop.id) as session:
            assert deliveries.ids_in_state(session, shop.id, "pending") == [1]
            assert shops.get_shop(session, shop.id).state == "connected"
    finally:
        database.close()


def test_a_wrong_setting_is_named_and_its_value_is_not(call: Call) -> None:
    result = call("shops", PORT="a secret number")
    assert result.exit_code == 2
    assert "PORT" in result.output
    assert "a secret number" not in result.output


def test_errors_of_ours_are_one_line(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(settings: object) -> None:
        raise BadSignature("somebody else signed this", platform="shopify")

    monkeypatch.setattr("connector.cli.manage.list_shops", refuse)
    result = call("shops")
    assert (result.exit_code, result.output.strip()) == (1, "somebody else signed this")


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert all(
        name in result.output
        for name in ("serve", "web", "worker", "scheduler", "migrate", "demo", "feed", "replay", "shops", "automation")
    )
