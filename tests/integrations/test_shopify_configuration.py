"""The two files that Shopify is told about the app with: inside the admin, and as a site of its own."""

import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from connector.config import Settings
from connector.web.app import ROUTERS
from integrations.sandbox.app_configuration import AppConfiguration
from integrations.shopify.adapter import ShopifyPlatform
from integrations.shopify.client import API_VERSION
from integrations.transport import Transport

ROOT = Path(__file__).parents[2]
FILES = ("shopify.app.toml", "shopify.app.standalone.toml")
HERE = "https://connector.example"


def load(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture(params=FILES)
def configuration(request: pytest.FixtureRequest) -> dict[str, Any]:
    """One of the files."""
    return load(request.param)


def test_every_topic_that_we_understand_is_subscribed_and_no_other(configuration: dict[str, Any]) -> None:
    platform = ShopifyPlatform(Transport(inner=httpx2.MockTransport(lambda request: httpx2.Response(500))), Settings())
    subscriptions = configuration["webhooks"]["subscriptions"]
    topics = [topic for entry in subscriptions for topic in entry.get("topics", ())]
    assert sorted(topics) == sorted(platform.topics - platform.compliance_topics), "each once"
    assert {topic for entry in subscriptions for topic in entry.get("compliance_topics", ())} == platform.compliance_topics
    assert {entry["uri"] for entry in subscriptions} == {f"{HERE}/webhooks/shopify"}
    assert [entry for entry in subscriptions if {"filter", "include_fields"} & set(entry)] == []
    assert configuration["webhooks"]["api_version"] == API_VERSION


def test_the_scopes_are_those_that_we_ask_for(configuration: dict[str, Any]) -> None:
    assert configuration["access_scopes"]["scopes"] == Settings().shopify_scopes
    assert configuration["access_scopes"]["scopes"].split(",") == sorted(set(configuration["access_scopes"]["scopes"].split(",")))


def test_every_address_is_one_of_ours(configuration: dict[str, Any]) -> None:
    paths = {getattr(route, "path", "") for router in ROUTERS for route in router.routes}
    for url in (configuration["application_url"], *configuration["auth"]["redirect_urls"]):
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}" == HERE
        assert parts.path in paths or parts.path.replace("/install/shopify", "/install/{platform}") in paths


def test_one_is_installed_by_shopify_and_the_other_by_us() -> None:
    embedded, standalone = (load(name) for name in FILES)
    assert (embedded["embedded"], embedded["access_scopes"]["use_legacy_install_flow"]) == (True, False)
    assert (standalone["embedded"], standalone["access_scopes"]["use_legacy_install_flow"]) == (False, True)
    assert urlsplit(embedded["application_url"]).path == "/embedded/shopify"
    assert urlsplit(standalone["application_url"]).path == "/install/shopify"
    differing = {name for name in embedded | standalone if embedded.get(name) != standalone.get(name)}
    assert differing == {"embedded", "application_url", "access_scopes"}


@pytest.mark.parametrize(("name", "path"), [(FILES[0], "/embedded/shopify"), (FILES[1], "/install/shopify")])
def test_the_sandbox_reads_them_as_shopify_would(name: str, path: str) -> None:
    read = AppConfiguration.from_toml((ROOT / name).read_text(encoding="utf-8"), "https://connector.test")
    assert (read.application_url, read.is_embedded) == (f"https://connector.test{path}", name == FILES[0])
    assert read.addresses("checkouts/update") == read.addresses("shop/redact") == ("https://connector.test/webhooks/shopify",)
    assert read.redirect_urls == ("https://connector.test/install/shopify/callback",)
