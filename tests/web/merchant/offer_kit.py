"""A shop whose codes can be asked for and made, and a merchant who writes offers in its pages."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from httpx import Response
from PIL import Image
from starlette.testclient import TestClient

from connector.codes import CodeKind, CodeState, CodeStatus, DiscountCode, IssuedCodes
from connector.platforms import Access, CodeTaken, PlatformError, PlatformName, Rejected, TransientError
from connector.reading import Page
from connector.web import cookies
from connector.web.asking import token_of
from connector.web.composition import Composition
from tests.web.conftest import ORIGIN, scalar
from tests.web.signing import BROWSER, keep

PAGE = 3


@dataclass
class ShelfCodes:
    """A store's codes. `is_silent`: it does not answer; `error`: what it answers instead; `refusal`: why it makes none."""

    held: dict[str, CodeState] = field(default_factory=dict)
    made: list[DiscountCode] = field(default_factory=list)
    is_silent: bool = False
    error: PlatformError | None = None
    refusal: str = ""
    platform: PlatformName = "shopify"

    def put(self, code: str, **changes: Any) -> CodeState:
        """The merchant made this code in the store: ten percent, for everybody."""
        now = datetime.now(UTC)
        state = CodeState(
            platform_id=f"d-{code}",
            source_version=now,
            code=code,
            kind=CodeKind.PERCENTAGE,
            status=CodeStatus.ACTIVE,
            value=Decimal(10),
            codes=1,
        )
        self.held[code.lower()] = replace(state, **changes)
        return self.held[code.lower()]

    def read_code(self, access: Access, code: str) -> CodeState | None:
        """What is held."""
        self._answer()
        return self.held.get(code.strip().lower())

    def issue_code(self, access: Access, code: DiscountCode) -> CodeState:
        """Made once; another under the same name is refused."""
        self._answer()
        if self.refusal:
            raise Rejected(self.refusal, platform=self.platform, call="issue_code")
        if code not in self.made:
            if code.code.lower() in self.held:
                raise CodeTaken("taken", platform=self.platform, call="issue_code")
            self.made.append(code)
            terms = {name: getattr(code, name) for name in ("value", "currency", "ends_at", "usage_limit", "minimum_subtotal")}
            self.put(code.code, kind=code.kind, once_per_customer=code.once_per_customer, **terms)
        return self.held[code.code.lower()]

    def issue_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> IssuedCodes:
        """All of them."""
        self._answer()
        head = next(state for state in self.held.values() if state.platform_id == platform_id)
        for code in codes:
            self.held[code.lower()] = replace(head, code=code, codes=None)
        return IssuedCodes(tuple(codes))

    def find_codes(self, access: Access, words: str, cursor: str | None = None) -> Page:
        """By a part of the code or title, three at a time."""
        self._answer()
        fits = [state for state in self.held.values() if words.lower() in f"{state.code} {state.title or ''}".lower()]
        start = int(cursor or 0)
        return Page(tuple(fits[start : start + PAGE]), str(start + PAGE) if len(fits) > start + PAGE else None)

    def suspend_code(self, access: Access, platform_id: str) -> None:
        """It is over."""
        self._answer()
        for name, state in self.held.items():
            if state.platform_id == platform_id:
                self.held[name] = replace(state, status=CodeStatus.EXPIRED)

    def resume_code(self, access: Access, platform_id: str) -> None:
        """It is good again."""
        self._answer()

    def delete_code(self, access: Access, platform_id: str) -> None:
        """It is gone."""
        self._answer()
        self.held = {name: state for name, state in self.held.items() if state.platform_id != platform_id}

    def withdraw_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> None:
        """They are gone."""
        self._answer()

    def restore_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> IssuedCodes:
        """They are there again."""
        return self.issue_codes(access, platform_id, codes)

    def clear_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> tuple[str, ...]:
        """They are gone."""
        return tuple(codes)

    def use_url(self, shop_url: str, code: str) -> str | None:
        """The store has such an address."""
        return f"{shop_url}discount/{code}"

    def _answer(self) -> None:
        if self.error is not None:
            raise self.error
        if self.is_silent:
            raise TransientError("no answer", platform=self.platform, call="codes")


@dataclass
class OfferWriter:
    """A merchant's browser in front of the pages of one shop's offers."""

    client: TestClient
    parts: Composition
    here: str

    def new(self, act: str = "save", files: dict[str, Any] | None = None, **fields: str) -> Response:
        """Send the form of a new offer: ten percent under the code MERCI10, unless it says otherwise."""
        return self.send(f"{self.here}/offers", act, files, **(MERCI | fields))

    def edit(self, name: str, act: str = "save", files: dict[str, Any] | None = None, **fields: str) -> Response:
        """Send the form of an offer that there is."""
        return self.send(f"{self.here}/offers/{name}", act, files, **(MERCI | fields))

    def send(self, path: str, act: str, files: dict[str, Any] | None, **fields: str) -> Response:
        """As a browser sends a form with a file field: an empty part if no file was chosen."""
        keep(self.client, cookies.BROWSER, BROWSER)
        data = {"csrf": token_of(self.parts, BROWSER), "act": act, **fields}
        parts = files or {"picture": ("", b"", "application/octet-stream")}
        return self.client.post(path, data=data, files=parts, headers={"sec-fetch-site": "same-origin", "origin": ORIGIN})

    def do(self, name: str, what: str) -> Response:
        """Press a button of the offer's page."""
        keep(self.client, cookies.BROWSER, BROWSER)
        headers = {"sec-fetch-site": "same-origin", "origin": ORIGIN}
        return self.client.post(f"{self.here}/offers/{name}/{what}", data={"csrf": token_of(self.parts, BROWSER)}, headers=headers)

    def page(self, name: str, part: str = "") -> str:
        """A page of an offer."""
        answer = self.client.get(f"{self.here}/offers/{name}{part}")
        assert answer.status_code == 200, answer.text
        return answer.text

    def state(self, name: str) -> str:
        """The offer's state and reason as they are written."""
        return str(scalar(self.parts, "select concat_ws(' ', state, reason) from offers where public_id = :name", name=name))

    def version(self, name: str, column: str) -> Any:
        """A column of the newest version."""
        statement = f"select v.{column} from offer_versions v join offers o on o.id = v.offer_id and o.version = v.version"
        return scalar(self.parts, f"{statement} where o.public_id = :name", name=name)


def name_of(answer: Response) -> str:
    """The public id of the offer that a saved form led to."""
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"]).rpartition("/")[2].partition("?")[0]


def picture(width: int, height: int, kind: str = "PNG", **options: Any) -> tuple[str, bytes, str]:
    """A file as it is uploaded: a picture in stripes."""
    made = Image.new("RGB", (width, height), "navy")
    made.paste("orange", (0, 0, width // 2, height))
    file = io.BytesIO()
    made.save(file, kind, **options)
    return (f"banner.{kind.lower()}", file.getvalue(), f"image/{kind.lower()}")


def day(days: int) -> str:
    """A day from now, as a date field sends it."""
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


MERCI = {
    "name": "Merci",
    "headline": "Merci pour votre commande",
    "body": "Voici de quoi revenir.",
    "mode": "new",
    "code": "MERCI10",
    "kind": "percentage",
    "value": "10",
    "once_per_customer": "on",
    "ends_on": day(20),
    "until": "days",
    "valid_days": "30",
    "most_uses": "3",
}
