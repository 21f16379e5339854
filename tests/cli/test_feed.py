"""Recorded deliveries through the door: every file accounted for, each quarantine with its reason, a second run changes nothing."""

import base64
import hmac
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from connector.cli.feed.files import NotADelivery, Recorded, read
from connector.cli.feed.run import Account, feed, run
from connector.config import Settings
from connector.errors import ConfigError
from connector.store import migrate

RECORDED = os.environ.get("RECORDED_DIR")
PAYLOADS = Path(__file__).resolve().parents[1] / "payloads"
CANONICAL = (
    "shops", "contacts", "customers", "products", "checkouts", "checkout_lines", "checkout_versions", "orders",
    "order_lines", "removals", "consents",
)  # fmt: skip
SECRET = "wooFeedTestSecret99"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    url = migrate.recreate(database_url, f"feed_{os.getpid()}")
    return Settings.model_validate({"database_url": SecretStr(url), "data_dir": tmp_path, "sandbox": True, "threads": 2})


def rows(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """All canonical rows; the time at which a checkout fell due is not a matter of deliveries."""
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        return {
            table: sorted(
                tuple(sorted((k, str(v)) for k, v in row[0].items() if k not in ("due_at", "abandoned_at")))
                for row in connection.execute(f"select to_jsonb(t) from {table} t").fetchall()  # type: ignore[arg-type]
            )
            for table in CANONICAL
        }


def exchange(path: Path, topic: str, body: str, secret: str | None = SECRET, headers: Mapping[str, str] | None = None) -> None:
    """A WooCommerce exchange in the recorded format."""
    signature = base64.b64encode(hmac.digest((secret or "").encode(), body.encode(), "sha256")).decode()
    signed = {
        "Host": "127.0.0.1:9099",
        "X-WC-Webhook-Source": "https://feed.test/",
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Delivery-ID": path.stem,
        "X-WC-Webhook-Signature": signature,
    }
    content = {
        "topic": topic,
        "secret": secret,
        "request": {"headers": list((signed if headers is None else headers).items()), "body": body},
    }
    path.write_text(json.dumps(content))


def test_own_payloads_are_all_fed_and_repeated_without_effect(settings: Settings) -> None:
    first = feed(settings, [PAYLOADS])
    files = [file for file in read([PAYLOADS]) if isinstance(file, Recorded)]
    assert first.totals["accepted"] == len(files) > 40
    assert not first.totals["refused"] + first.totals["lost"] + first.totals["quarantined"]
    before = rows(settings)
    assert len(before["checkouts"]) > 5
    again = feed(settings, [PAYLOADS])
    assert (again.totals["accepted"], again.totals["duplicate"]) == (0, len(files))
    assert rows(settings) == before


def test_each_kind_of_file_is_told_apart(tmp_path: Path, settings: Settings) -> None:
    order = (
        (PAYLOADS / "woocommerce" / "order_created__processing_cash_on_delivery.json").read_text().replace("galets.example", "feed.test")
    )
    gone = json.dumps({"code": "woocommerce_rest_shop_order_invalid_id", "message": "Invalid ID.", "data": {"status": 404}})
    exchange(tmp_path / "1.json", "order.created", order)
    exchange(tmp_path / "2.json", "order.updated", gone)
    exchange(tmp_path / "3.json", "order.updated", "{not json")
    exchange(tmp_path / "4.json", "tag.created", "{}")
    exchange(
        tmp_path / "5.json",
        "order.created",
        order,
        headers={"X-WC-Webhook-Topic": "order.created", "X-WC-Webhook-Source": "https://feed.test/"},
    )
    exchange(tmp_path / "6.json", "ping", "webhook_id=7", None, {"Content-Type": "application/x-www-form-urlencoded"})
    exchange(tmp_path / "7.json", "order.created", order, "anotherSecretOfTheSameStore")
    (tmp_path / "index.json").write_text("[]")
    (tmp_path / "README.md").write_text("no delivery")
    account = feed(settings, [tmp_path])
    totals = account.totals
    assert (totals["accepted"], totals["applied"], totals["quarantined"], totals["no_meaning_yet"]) == (5, 2, 2, 1)
    assert (totals["refused"], totals["answered"]) == (1, 1)
    assert set(account.reasons) == {("woocommerce", "order.updated", "store_error_body"), ("woocommerce", "order.updated", "not_json")}
    assert sorted(path.name for path in account.not_deliveries) == ["README.md", "index.json"]
    assert run(settings, [tmp_path]) == 1


def test_a_database_of_real_stores_is_not_fed(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="made for real stores"):
        feed(Settings.model_validate({"database_url": SecretStr(url), "data_dir": tmp_path}), [PAYLOADS])


@pytest.mark.skipif(RECORDED is None, reason="RECORDED_DIR is not set")
def test_the_recorded_set_is_accounted_for_to_the_file(settings: Settings) -> None:
    recorded = Path(RECORDED or "")
    account: Account = feed(settings, [recorded])
    totals = account.totals
    assert (totals["accepted"], totals["duplicate"], totals["refused"], totals["answered"]) == (98, 0, 0, 2)
    assert (totals["applied"], totals["quarantined"], totals["no_meaning_yet"], totals["after_uninstall"]) == (88, 3, 7, 0)
    # The documented body is for "{shop}.myshopify.com", the example's headers name another shop.
    redacted = ("shopify", "customers/redact", "wrong_shop")
    assert dict(account.reasons) == {redacted: 1, ("woocommerce", "order.updated", "store_error_body"): 2}
    assert len(account.not_deliveries) == 135
    assert sum(1 for path in recorded.rglob("*") if path.is_file()) == 98 + 2 + 135
    assert account.outcomes["woocommerce", "order.updated"]["applied"] == 18
    assert account.outcomes["shopify", "checkouts/update"]["applied"] == 3
    before = rows(settings)
    again = feed(settings, [recorded])
    assert (again.totals["accepted"], again.totals["duplicate"]) == (0, 98)
    assert rows(settings) == before


def test_files_of_no_known_format_are_no_deliveries(tmp_path: Path) -> None:
    names = {"a.txt": "", "b.json": "not json", "webhook.orders_paid.doc.json": "{}", "c.json": "[1]"}
    for name, text in names.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "shopify").mkdir()
    (tmp_path / "shopify" / "mystery__topic.json").write_text("{}")
    assert all(isinstance(file, NotADelivery) for file in read([tmp_path]))
    assert [file.path.name for file in read([tmp_path / "a.txt"])] == ["a.txt"]
