"""Shops with offers on either pretend store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.config import Settings
from connector.store.db import Database
from connector.store.sealed import Vault
from tests.flows.offer_stage import OfferShop, offer_shop


@pytest.fixture(params=["shopify", "woocommerce"])
def here(request: pytest.FixtureRequest, tmp_path: Path, db: Database, vault: Vault, sandbox_settings: Settings) -> Iterator[OfferShop]:
    """A connected shop, on each twin in turn."""
    with offer_shop(request.param, tmp_path, db, vault, sandbox_settings) as shop:
        yield shop
