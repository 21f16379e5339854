"""A member's browser on the pages of one shop."""

import re
from collections.abc import Callable

import pytest
from httpx import Response
from starlette.testclient import TestClient

from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.fakes import FakePlatform
from tests.store.writing import Writer
from tests.web.conftest import shop_public_id
from tests.web.merchant.offer_kit import OfferWriter, ShelfCodes
from tests.web.signing import send, sign_in

Post = Callable[..., Response]


@pytest.fixture
def me(client: TestClient, parts: Composition, shopify_shop: TestShop) -> str:
    """An owner of the Shopify shop's account, signed in; their public id."""
    return sign_in(client, parts, shopify_shop)


@pytest.fixture
def here(parts: Composition, shopify_shop: TestShop, me: str) -> str:
    """Where the pages of the shop begin."""
    return f"/app/shops/{shop_public_id(parts, shopify_shop)}"


@pytest.fixture
def post(client: TestClient, parts: Composition, me: str) -> Post:
    """Send a form as our own page would."""

    def make(path: str, **fields: str) -> Response:
        return send(client, parts, path, **fields)

    return make


@pytest.fixture
def write(parts: Composition, shopify_shop: TestShop) -> Writer:
    """Rows of the Shopify shop, as a test wants them."""
    return Writer(parts.db, shopify_shop.id)


def rows(page: str) -> list[str]:
    """The table rows as people read them."""
    return [plain(row) for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)]


def row_of(page: str, begins: str) -> str:
    """The one row that begins like this."""
    found = [row for row in rows(page) if row.startswith(begins)]
    assert len(found) == 1, found
    return found[0]


def plain(html: str) -> str:
    """A piece of a page as people read it."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


@pytest.fixture
def shelf(shopify: FakePlatform) -> ShelfCodes:
    """The codes of the store."""
    made = ShelfCodes()
    shopify.codes = made
    return made


@pytest.fixture
def writer(client: TestClient, parts: Composition, here: str, shelf: ShelfCodes) -> OfferWriter:
    """The merchant, who writes offers."""
    return OfferWriter(client, parts, here)
