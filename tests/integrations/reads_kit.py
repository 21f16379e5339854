"""Our client in front of the pretend Shopify, without a server: both go by a clock that only the client's own waits move."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2

from connector.platforms import Access
from integrations.sandbox.shopify_graphql import answer
from integrations.shopify.budget import LocalBudget
from integrations.shopify.client import Client
from integrations.shopify.reading import ShopifyReads
from integrations.transport import Transport
from tests.integrations.graph_kit import SCOPES, GraphShop

ACCESS = Access(7, "demo.myshopify.com", {"access_token": "shpat_made_up"})


@dataclass
class Store:
    """The pretend shop and our way into it. `answers` go first, as they are; `requests` is all that was sent; `before` hears of each."""

    twin: GraphShop = field(default_factory=GraphShop)
    scopes: tuple[str, ...] = SCOPES
    answers: list[httpx2.Response] = field(default_factory=list)
    requests: list[httpx2.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    seconds_a_call: float = 0.05
    before: Callable[[httpx2.Request], None] = lambda request: None

    def __post_init__(self) -> None:
        self.budget = LocalBudget(lambda: self.twin.seconds)
        self.client = Client(Transport(inner=httpx2.MockTransport(self)), self.budget, self.sleep)
        self.reads = ShopifyReads(self.client)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as the twin's server does."""
        self.requests.append(request)
        self.before(request)
        self.twin.seconds += self.seconds_a_call
        if self.answers:
            return self.answers.pop(0)
        if not request.url.path.startswith("/admin/api/"):
            number = int(request.url.path.rpartition("/")[2].removesuffix(".jsonl"))
            content = self.twin.shop.bulk.read(number, dict(request.url.params))
            return httpx2.Response(400, content=b"<Error/>") if content is None else httpx2.Response(200, content=content)
        asked = json.loads(request.content)
        return httpx2.Response(200, json=answer(self.twin.shop, self.scopes, asked["query"], asked["variables"]))

    def sleep(self, seconds: float) -> None:
        """Let that time pass, for the shop too."""
        self.slept.append(seconds)
        self.twin.seconds += seconds

    def rest(self) -> None:
        """The bucket is full again."""
        self.twin.seconds += 60

    @property
    def asked(self) -> list[dict[str, object]]:
        """The variables of all questions."""
        return [json.loads(request.content)["variables"] for request in self.requests if request.method == "POST"]
