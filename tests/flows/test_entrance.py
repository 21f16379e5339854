"""The demo's ready links lead in, once each, and exist in a sandbox only."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from connector.cli.demo.entrance import open_entrance
from connector.cli.demo.story import Story
from connector.cli.demo.world import World, open_world
from connector.config import Settings
from connector.errors import ConnectorError, Refused
from connector.store import migrate


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    """The demo's app and stores before anything happened."""
    url = migrate.recreate(database_url, f"entrance_{os.getpid()}")
    settings = Settings.model_validate({"database_url": SecretStr(url), "data_dir": tmp_path})
    with open_world(settings, tmp_path) as opened:
        yield opened


def test_each_link_leads_in_once(world: World) -> None:
    with pytest.raises(ConnectorError, match="no shop is connected"):
        open_entrance(world.app, world.app.vault)
    story = Story(world, say=lambda words: None)
    story.install_shopify(story.merchant)
    story.install_woocommerce(story.merchant)
    with world.app.db.system_transaction("accounts of the demo") as session:
        assert session.execute(text("select count(distinct account_id) from shops")).scalar_one() == 1, "two stores of one merchant"
    entrance = open_entrance(world.app, world.app.vault)
    for link, place in ((entrance.merchant, "/app"), (entrance.staff, "/support")):
        browser, late = world.sandbox.browser(), world.sandbox.browser()
        try:
            page = browser.click(browser.open(link), "Sign in")
            assert (page.status, page.url.partition(world.app.origin)[2].partition("?")[0]) == (200, place)
            again = late.click(late.open(link), "Sign in")
            assert again.status == 403
        finally:
            browser.close()
            late.close()
    story.merchant.close()


def test_the_links_are_refused_outside_a_sandbox(world: World) -> None:
    story = Story(world, say=lambda words: None)
    story.install_shopify(story.merchant)
    story.merchant.close()
    made = open_entrance(world.app, world.app.vault)
    with world.app.db.engine.begin() as connection:
        connection.execute(text("update app_clock set ahead = interval '0', is_sandbox = false"))
    with pytest.raises(Refused, match="in a sandbox only"):
        open_entrance(world.app, world.app.vault)
    browser = world.sandbox.browser()
    try:
        assert browser.click(browser.open(made.merchant), "Sign in").status == 403, "one that was made before is no good either"
        assert browser.click(browser.open(made.staff), "Sign in").status == 403
    finally:
        browser.close()
