"""What a day leaves in the logs: no person, no token, no secret, whatever goes wrong in it."""

import logging
import os
import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from structlog.testing import capture_logs

from connector.cli.demo.entrance import open_entrance
from connector.cli.demo.story import Story
from connector.cli.demo.world import World, open_world
from connector.config import Settings
from connector.errors import ConnectorError
from connector.log import _FromLibraries
from connector.store import migrate
from connector.store.sealed import Vault
from integrations.transport import Transport

ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z.-]+")
JWT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}")
FORGED = "eyJhbGciOiJIUzI1NiJ9.eyJkZXN0IjoiaHR0cHM6Ly9ldmlsIn0.c2lnbmF0dXJl"


def misbehave(world: World) -> None:
    """What strangers and clumsy people do: each of these is logged, or should not be."""
    origin, certificate = world.sandbox.app_origin, world.sandbox.ca_pem
    transport = Transport(world.sandbox.address_map, certificate, is_closed_world=True)
    form = {"content-type": "application/x-www-form-urlencoded"}
    tries = [
        ("POST", "/webhooks/shopify", {"x-shopify-hmac-sha256": FORGED, "x-shopify-shop-domain": "stranger@evil.example"}, b"{}"),
        ("POST", "/webhooks/shopify", {"x-shopify-hmac-sha256": "é"}, b'{"email": "victim@private.example"}'),
        ("GET", f"/app?session={FORGED}", {"cookie": f"__Host-session={FORGED}"}, None),
        ("GET", "/api/v1/shops", {"authorization": f"Bearer ck_{FORGED}"}, None),
        ("GET", f"/sign-in/{FORGED}", {}, None),
        ("POST", "/support/sign-in", form, b"email=sam%40support.example&password=hunter2-hunter2"),
        ("GET", "/install/shopify?shop=victim@private.example", {}, None),
        ("GET", f"/install/shopify/callback?code=secret-code&state={FORGED}", {}, None),
        ("GET", "/nothing/victim@private.example", {"user-agent": "victim@private.example\\x1b[31m"}, None),
    ]
    try:
        for method, path, headers, body in tries:
            try:
                transport.send("browser", "open", method, origin + path, headers=headers, content=body)
            except (ConnectorError, ValueError):
                continue
    finally:
        transport.close()


def secrets_of(world: World, vault: Vault, *links: str) -> list[str]:
    """Everything in this world that lets somebody in."""
    found = [link.rpartition("/")[2] for link in links] + [FORGED, "hunter2-hunter2", "secret-code", world.sandbox.client_secret]
    with world.app.db.engine.begin() as connection:
        for credentials, webhook in connection.execute(text("select credentials, webhook_secret from shops")):
            found += [*vault.open(bytes(credentials)).values(), *vault.open(bytes(webhook)).values()]
        for column, table in (
            ("link_token", "messages"),
            ("unsubscribe_token", "messages"),
            ("link_token", "grants"),
            ("unsubscribe_token", "grant_mails"),
        ):
            found += connection.execute(text(f"select {column} from {table}")).scalars()
    return [secret for secret in found if len(secret) > 6]


@pytest.mark.spec("SEC-232")
def test_a_day_and_its_troubles_leave_no_person_and_no_secret_in_the_logs(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **values: object) -> None:
        raise RuntimeError(f"victim@private.example {FORGED}")

    monkeypatch.setattr("connector.web.account.KeysPage", fail)
    url = migrate.recreate(database_url, f"logs_{os.getpid()}")
    settings = Settings.model_validate({"database_url": SecretStr(url), "data_dir": tmp_path})
    libraries = _FromLibraries()
    logging.getLogger().addHandler(libraries)
    try:
        with capture_logs() as events, open_world(settings, tmp_path) as world:
            story = Story(world, say=lambda words: None)
            story.play()
            entrance = open_entrance(world.app, world.app.vault)
            browser = world.sandbox.browser()
            browser.click(browser.open(entrance.merchant), "Sign in")
            assert browser.open(f"{world.app.origin}/app").status == 200
            assert browser.open(f"{world.app.origin}/app/keys").status == 500
            logging.getLogger("a.library").warning("it happened", exc_info=RuntimeError(FORGED))
            browser.close()
            misbehave(world)
            secrets = secrets_of(world, world.app.vault, entrance.merchant, entrance.staff)
            people = [person.email for person in story.people] + [buyer.email for life in story.lives for buyer in life.buyers]
    finally:
        logging.getLogger().removeHandler(libraries)
    assert {"shop.connected", "message.handed_over", "page.broken", "library"} <= {event["event"] for event in events}
    everything = "\n".join(repr(event) for event in events)
    assert len(secrets) > 8
    assert [secret for secret in secrets if secret in everything] == []
    assert [person for person in people if person in everything] == []
    assert ADDRESS.findall(everything) == []
    assert JWT.findall(everything) == []
