"""Examining a shop's connection from the command line."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from connector.checkups import Check, Verdict
from connector.cli import app
from connector.platforms import Access
from connector.store import checkups
from connector.store.db import Database
from connector.store.sealed import Vault
from integrations.woocommerce.checkup import WooCheckup
from tests.conftest import SEALING_KEY, TestShop, install

Call = Callable[..., Result]
GOOD = Check("address", Verdict.GOOD, ("boutique.test",))
BAD = Check("address", Verdict.BAD, ("https://[bold]www.boutique.test",), "redirect")


@pytest.fixture
def shops(url: str) -> dict[str, TestShop]:
    """One shop of each kind."""
    database, vault = Database(url), Vault([SEALING_KEY])
    try:
        return {
            "woocommerce": install(database, vault, "woocommerce", "boutique.test", "Boutique"),
            "shopify": install(database, vault, "shopify", "demo.myshopify.com", "Démo"),
        }
    finally:
        database.close()


@pytest.fixture
def call(url: str, tmp_path: Path, shops: dict[str, TestShop]) -> Call:
    """Run the command line."""

    def run(*arguments: str) -> Result:
        env = {"DATABASE_URL": url, "DATA_DIR": str(tmp_path), "SEALING_KEY": SEALING_KEY, "PUBLIC_URL": "https://connector.test"}
        return CliRunner().invoke(app, list(arguments), env=env)

    return run


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, str]]]:
    """Let the store be found like this; gives what is asked: the shop's address and that of its webhooks."""

    def prepare(*found: Check) -> list[tuple[str, str]]:
        asked: list[tuple[str, str]] = []

        def examine(self: WooCheckup, access: Access, address: str) -> Sequence[Check]:
            asked.append((access.domain, address))
            return found

        monkeypatch.setattr(WooCheckup, "examine", examine)
        return asked

    return prepare


def test_what_must_be_mended_is_told_and_ends_with_one(
    call: Call, finds: Callable[..., list[tuple[str, str]]], shops: dict[str, TestShop], url: str
) -> None:
    asked = finds(BAD, Check("plugin", Verdict.ATTENTION, cause="missing"))
    result = call("doctor", "boutique.test")
    assert result.exit_code == 1
    assert asked == [("boutique.test", f"https://connector.test/webhooks/woocommerce/{shops['woocommerce'].shop_key}")]
    seen = " ".join(result.stdout.replace("│", " ").split())
    for words in (
        "Connection of boutique.test",
        "The store sends us on to https://[bold]www.boutique.test;",
        "→ Connect the store again under exactly that address.",
        "nothing is seen of a cart before the order is placed",
        "1 to mend, 1 worth a look, 3 looked at.",
    ):
        assert words in seen, words
    database = Database(url)
    try:
        with database.transaction(shop=shops["woocommerce"].id) as session:
            kept = checkups.last_checkup(session, shops["woocommerce"].id)
    finally:
        database.close()
    assert kept is not None
    assert kept.checks[0] == BAD


def test_a_good_connection_ends_with_zero(call: Call, finds: Callable[..., list[tuple[str, str]]]) -> None:
    finds(GOOD, Check("mailers", Verdict.ATTENTION, ("Klaviyo",), "others"))
    assert call("doctor", "boutique.test").exit_code == 0


def test_programs_get_the_same_as_json(call: Call, finds: Callable[..., list[tuple[str, str]]]) -> None:
    finds(GOOD, BAD)
    result = call("doctor", "boutique.test", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["platform"], told["domain"], told["shop"][:4]) == ("woocommerce", "boutique.test", "shp_")
    assert [one["code"] for one in told["checks"]] == ["address", "address", "lateness"]
    expected = {"code": "address", "verdict": "bad", "cause": "redirect", "found": ["https://[bold]www.boutique.test"]}
    assert {name: told["checks"][1][name] for name in expected} == expected
    assert told["checks"][1]["cure"] == "Connect the store again under exactly that address."


def test_what_cannot_be_examined_is_said_in_one_line(call: Call) -> None:
    result = call("doctor", "demo.myshopify.com")
    assert (result.exit_code, result.stdout.strip()) == (1, "Stores of this kind have nothing to examine.")
    result = call("doctor", "nowhere.example")
    assert (result.exit_code, result.stdout.strip()) == (1, "there is no shop 'nowhere.example'")


def test_a_store_that_does_not_exist_is_a_finding_and_no_crash(call: Call) -> None:
    result = call("doctor", "boutique.test", "--json")
    assert result.exit_code == 1
    first = json.loads(result.stdout)["checks"][0]
    assert (first["code"], first["verdict"]) == ("address", "bad")
