"""Send recorded deliveries through a running door, wait until they were handled, and account for every file."""

import base64
import hmac
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from pydantic import SecretStr
from rich.table import Table

from connector import decoding
from connector.canonical import ShopProfile
from connector.cli.feed.files import NotADelivery, Recorded, read
from connector.cli.process import console, upgrade, working
from connector.config import Settings
from connector.errors import ConnectorError
from connector.platforms import BadSignature, Installation
from connector.store import deliveries, embedded, shops
from connector.web.app import make_app
from connector.web.composition import Composition, compose
from integrations.registry import make_transport
from integrations.sandbox.app_configuration import CLIENT_SECRET
from integrations.sandbox.servers import LocalServer

DATABASE = "connector_feed"
SHOPIFY_SHOP = "recorded-shop.myshopify.com"
LEAVING_SHOP = "leaving-shop.myshopify.com"
WOO_SHOP = "galets.example"
WOO_SECRET = "sandboxFeedSecret0123456789"  # noqa: S105 - a published test value
CREDENTIALS = {"access_token": "fed", "expires_at": "9999-01-01T00:00:00+00:00", "consumer_key": "ck_fed", "consumer_secret": "cs_fed"}
WAIT_SECONDS = 60.0


@dataclass(slots=True)
class Account:
    """What became of the files: counts by (platform, topic) and outcome, and the reasons of quarantine."""

    outcomes: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    reasons: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    not_deliveries: list[Path] = field(default_factory=list)

    @property
    def totals(self) -> Counter[str]:
        """Outcomes over all topics."""
        return sum(self.outcomes.values(), Counter())


@dataclass(frozen=True, slots=True)
class Sent:
    """One file on its way: where it goes, with which headers, and the key under which the door keeps it."""

    recorded: Recorded
    path: str
    headers: Mapping[str, str]
    key: bytes | None


class _Named(msgspec.Struct):
    """A body that names its shop."""

    shop_domain: str = ""


def run(settings: Settings, paths: Sequence[Path]) -> int:
    """Feed everything below `paths`; 0 if every file is accounted for and none was refused."""
    account = feed(settings, paths)
    show(account)
    return 1 if account.totals["refused"] else 0


def feed(settings: Settings, paths: Sequence[Path]) -> Account:
    """
    Feed into the sandbox database `connector_feed` of the bundled server, or into DATABASE_URL if that is a sandbox.

    No scheduler runs: what is fed is applied, and nothing else happens because time passes. Raises ConfigError for a database
    of real stores.
    """
    files = list(read(list(paths)))
    recorded = [file for file in files if isinstance(file, Recorded)]
    with _database(settings) as ready:
        sandboxed = _settings(ready, recorded)
        upgrade(sandboxed)
        with compose(sandboxed) as composition, working(composition):
            addresses = _install_shops(composition, recorded)
            sent = [_address(composition, one, addresses) for one in recorded]
            account = _send(composition, sent)
    account.not_deliveries = [file.path for file in files if isinstance(file, NotADelivery)]
    return account


def show(account: Account) -> None:
    """Print the account per topic, the reasons of quarantine, and what was no delivery."""
    columns = ("accepted", "duplicate", "applied", "quarantined", "no_meaning_yet", "after_uninstall", "answered", "refused")
    table = Table("platform", "topic", *(name.replace("_", " ") for name in columns), title="Fed")
    for (platform, topic), counts in sorted(account.outcomes.items()):
        table.add_row(platform, topic, *(str(counts[name] or "") for name in columns))
    table.add_row("", "all", *(str(account.totals[name] or "") for name in columns), style="bold")
    console.print(table)
    for (platform, topic, reason), count in sorted(account.reasons.items()):
        console.print(f"quarantined  {platform}  {topic}  {reason}  {count}", highlight=False)
    console.print(f"not a delivery  {len(account.not_deliveries)} files", highlight=False)


@contextmanager
def _database(settings: Settings) -> Iterator[Settings]:
    if settings.database_url is not None:
        yield settings
        return
    with embedded.start(settings.data_dir) as server:
        yield settings.model_copy(update={"database_url": SecretStr(server.ensure_database(DATABASE))})


def _settings(settings: Settings, recorded: Sequence[Recorded]) -> Settings:
    """Sandbox mode; a signed example's own secret counts as the previous client secret."""
    previous = sorted({one.secret for one in recorded if one.platform == "shopify" and one.secret})
    if len(previous) > 1:
        raise ConnectorError("These recordings were signed with several Shopify secrets; feed them folder by folder.")
    given = {"sandbox": True, "shopify_client_secret": CLIENT_SECRET, "shopify_old_client_secret": "".join(previous), "redis_url": None}
    return Settings.model_validate(settings.model_dump() | given)


def _install_shops(composition: Composition, recorded: Sequence[Recorded]) -> dict[tuple[str, str], str]:
    """Make the shops the files need; returns WooCommerce addresses by (source, secret)."""
    shopify = [one for one in recorded if one.platform == "shopify"]
    domains = {one.source or _named_shop(one) for one in shopify} | {SHOPIFY_SHOP, LEAVING_SHOP}
    known = _known_domains(composition)
    for domain in sorted(domains - known):
        _install(composition, "shopify", domain, "")
    addresses: dict[tuple[str, str], str] = {}
    secrets_of: dict[str, set[str]] = defaultdict(set)
    for one in recorded:
        if one.platform == "woocommerce":
            secrets_of[_host(one)].add(one.secret or (WOO_SECRET if not one.headers else ""))
    for host, secrets in secrets_of.items():
        for number, secret in enumerate(sorted(secrets - {""}) or [WOO_SECRET]):
            domain = host if number == 0 else f"{host}/{number}"
            key = f"feed{hmac.digest(b'shop key', f'{domain}{secret}'.encode(), 'sha256').hex()[:20]}"
            if domain not in known:
                _install(composition, "woocommerce", domain, secret, key)
            addresses[host, secret] = f"/webhooks/woocommerce/{key}"
            addresses.setdefault((host, ""), f"/webhooks/woocommerce/{key}")
    return addresses


def _known_domains(composition: Composition) -> set[str]:
    with composition.db.system_transaction("which shops the feed has made") as session:
        return {shop.domain for shop in shops.list_shops(session)}


def _install(composition: Composition, platform: str, domain: str, secret: str, key: str = "") -> None:
    profile = ShopProfile(name=f"Recorded {domain}", currency="EUR", timezone="Europe/Paris", url=f"https://{domain}")
    with composition.db.system_transaction("make a shop for the feed") as session:
        shops.save_install(
            session,
            composition.services.vault,
            platform,
            Installation(domain, CREDENTIALS, (), (), profile),
            fresh_key=key or f"feed-{domain}",
            fresh_secret=secret or WOO_SECRET,
        )


def _host(one: Recorded) -> str:
    return (one.source or f"https://{WOO_SHOP}").removeprefix("https://").removeprefix("http://").rstrip("/")


def _address(composition: Composition, one: Recorded, addresses: Mapping[tuple[str, str], str]) -> Sent:
    """Where a file goes; bodies without headers get some of ours, made from the file alone."""
    platform = composition.services.platforms[one.platform]
    if one.platform == "shopify":
        headers = one.headers or _shopify_headers(one, LEAVING_SHOP if one.topic in platform.farewell_topics else _named_shop(one))
        path, shop_key, secrets = "/webhooks/shopify", "", list(platform.app_secrets())
    else:
        secret = one.secret or (WOO_SECRET if not one.headers else "")
        path = addresses[_host(one), secret]
        headers = one.headers or _woocommerce_headers(one)
        shop_key, secrets = path.rpartition("/")[2], [secret.encode()]
    raw = {name.lower().encode(): value.encode() for name, value in headers.items()}
    try:
        key = None if one.is_ping else platform.verify(raw, one.body, secrets, shop_key).key
    except BadSignature:
        key = None
    return Sent(one, path, headers, key)


def _named_shop(one: Recorded) -> str:
    """The shop that the body says it is for, as privacy requests do; else the one of all recordings."""
    try:
        return decoding.decode(one.body, _Named).shop_domain or SHOPIFY_SHOP
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return SHOPIFY_SHOP


def _shopify_headers(one: Recorded, shop: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-Shopify-Topic": one.topic,
        "X-Shopify-Shop-Domain": shop,
        "X-Shopify-API-Version": "2026-10",
        "X-Shopify-Webhook-Id": one.made_up_id,
        "X-Shopify-Hmac-Sha256": _signature(CLIENT_SECRET, one.body),
    }


def _woocommerce_headers(one: Recorded) -> dict[str, str]:
    resource, _, event = one.topic.partition(".")
    return {
        "Content-Type": "application/json",
        "X-WC-Webhook-Source": f"https://{WOO_SHOP}/",
        "X-WC-Webhook-Topic": one.topic,
        "X-WC-Webhook-Resource": resource,
        "X-WC-Webhook-Event": event,
        "X-WC-Webhook-ID": "1",
        "X-WC-Webhook-Delivery-ID": one.made_up_id.replace("-", ""),
        "X-WC-Webhook-Signature": _signature(WOO_SECRET, one.body),
    }


def _signature(secret: str, body: bytes) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


def _send(composition: Composition, sent: Sequence[Sent]) -> Account:
    account = Account()
    seen = set(_states(composition, sent))
    transport = make_transport(composition.settings)
    with LocalServer(make_app(composition), lifespan=True) as server:
        for one in sent:
            topic = account.outcomes[one.recorded.platform, one.recorded.topic]
            url = f"{server.http_origin}{one.path}"
            answer = transport.send("feed", "deliver", "POST", url, headers=one.headers, content=one.recorded.body)
            if answer.status != 200:
                topic["refused"] += 1
            elif one.key is None:
                topic["answered"] += 1
            else:
                topic["duplicate" if one.key in seen else "accepted"] += 1
                seen.add(one.key)
        transport.close()
        states = _wait(composition, sent)
    for key, one in {one.key: one for one in sent if one.key is not None}.items():
        state, reason = states.get(key, ("lost", None))
        account.outcomes[one.recorded.platform, one.recorded.topic][state] += 1
        if state == "quarantined":
            account.reasons[one.recorded.platform, one.recorded.topic, reason or ""] += 1
    return account


def _states(composition: Composition, sent: Sequence[Sent]) -> dict[bytes, tuple[str, str | None]]:
    with composition.db.system_transaction("what became of what was fed") as session:
        return deliveries.states_of(session, [one.key for one in sent if one.key is not None])


def _wait(composition: Composition, sent: Sequence[Sent]) -> dict[bytes, tuple[str, str | None]]:
    """Until nothing that was fed is pending. Privacy requests without a shop wait for a later step and are not waited for."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        states = _states(composition, sent)
        if not any(state == "pending" for state, _ in states.values()):
            return states
        if time.monotonic() > deadline:
            raise ConnectorError("some of what was fed is still pending after a minute")
        time.sleep(0.05)
