"""Every route of the pages, and what it takes to call it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from connector.canonical import DataRequested, Person
from connector.rules import syncing
from connector.rules.offer_terms import Terms
from connector.rules.permissions import Permission, Role, Scope, StaffPermission
from connector.store import members, offers, privacy, shops, sync_runs
from connector.store.api_keys import issue
from connector.store.audit import Actor
from connector.web.app import ROUTERS
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import scalar

FORMS = ("form_fields", "upload_fields")
OPEN_SUPPORT = ("/support/sign-in", "/support/second-factor", "/support/second-factor/qr.svg", "/support/sign-out")


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. `needs` is the permission that guards it, `is_form` whether it reads a form of ours."""

    method: str
    path: str
    needs: Permission | StaffPermission | None
    is_form: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_merchant(self) -> bool:
        """Whether members use it."""
        return self.path == "/app" or self.path.startswith("/app/")

    @property
    def is_support(self) -> bool:
        """Whether staff who are signed in use it."""
        return (self.path == "/support" or self.path.startswith("/support/")) and self.path not in OPEN_SUPPORT

    def url(self, ids: Mapping[str, str]) -> str:
        """The path with each `{…}` replaced by the id of what stands before it: shops, checkouts, members, keys, …"""
        return re.sub(r"/([a-z]+)/\{[^}]+\}", lambda found: f"/{found[1]}/{ids[found[1]]}", self.path)


def routes() -> list[Route]:
    """All of them, in the order in which they are looked up."""
    return [
        Route(method, route.path, *_guards(route.dependant))
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods - {"HEAD"})
    ]


def ids_of(parts: Composition, shop: TestShop, checkout: str) -> dict[str, str]:
    """What belongs to the shop's account, by the word that stands before it in addresses."""
    account_id = int(scalar(parts, "select account_id from shops where id = :id", id=shop.id))
    with parts.db.system_transaction("things of an account for a test") as session:
        member = members.add(session, account_id, f"somebody@{account_id}.example", Role.MARKETER)
        key, _ = issue(session, parts.services.vault, account_id, "reports", [Scope.SHOPS_READ], "test")
        asked = DataRequested(Person(email=f"somebody@{account_id}.example"), datetime.now(UTC), "1")
        request = privacy.keep_request(session, parts.services.vault, shop.id, asked)
    with parts.db.transaction(shop=shop.id) as session:
        offer = offers.create_draft(session, shops.get_shop(session, shop.id), "Thanks", Terms(headline="Thank you"), Actor("test"))
        run, _ = sync_runs.begin(session, shop.id, syncing.RunKind.RESYNC, syncing.Scope(), actor=Actor("test"), reason="a test")
    return {
        "offers": offer.public_id,
        "sync": run.public_id,
        "shops": str(scalar(parts, "select public_id from shops where id = :id", id=shop.id)),
        "checkouts": checkout,
        "members": member.public_id,
        "keys": key.public_id,
        "deliveries": "1",
        "privacy": "" if request is None else request.public_id,
    }


def _guards(dependant: Dependant) -> tuple[Any, bool]:
    calls = list(_calls(dependant))
    needs = [call.needs for call in calls if hasattr(call, "needs")]
    return (needs[0] if needs else None), any(getattr(call, "__name__", "") in FORMS for call in calls)


def _calls(dependant: Dependant) -> Iterator[Any]:
    for inner in dependant.dependencies:
        if inner.call is not None:
            yield inner.call
        yield from _calls(inner)
