"""
PlatformConformance: what every adapter must prove, whatever store it speaks to.

Subclass it in `tests/integrations/test_<platform>_conformance.py`, name the class `Test…`, fill in the class attributes and
the two methods that raise NotImplementedError. Payload files are read from `payloads_dir` and named
`<topic, "/" as "_">__<case>.json`; each test that asks for `payload` runs once per file.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import pytest

from connector.canonical import Checkout, Event, Order, PrivacyRequest
from connector.platforms import (
    Access,
    AccessLost,
    BadSignature,
    DeliveryContext,
    NotPermitted,
    PayloadError,
    Platform,
    PlatformError,
    ThrottledError,
    TransientError,
)
from integrations.transport import Transport

RECEIVED = datetime(2026, 11, 21, 10, 15, 30, tzinfo=UTC)
HTML = b"<!DOCTYPE html><html><body><h1>Something went wrong</h1></body></html>"
NONSENSE = (b"", b" ", b"null", b"[]", b"0", b'"text"', b"{", b"\xff\xfe", b'{"a":', b"[" * 5000, b'{"a":1}trailing')


@dataclass(frozen=True)
class Payload:
    """One payload file: its name without `.json`, the topic it belongs to, its exact bytes."""

    name: str
    topic: str
    body: bytes


class PlatformConformance:
    """The suite. Attributes without a value must be set by the subclass."""

    payloads_dir: ClassVar[Path]
    access: ClassVar[Access]
    shop_key: ClassVar[str]
    """What stands in our address: a key, or "" where the platform names the shop in a header."""
    shop_ref: ClassVar[str]
    """What `verify` must answer as the shop for deliveries made by `sign`."""
    secret: ClassVar[bytes] = b"current-secret"
    previous_secret: ClassVar[bytes] = b"previous-secret"
    shop_country: ClassVar[str | None] = "FR"
    product_id: ClassVar[str] = "101"
    refusal: ClassVar[Mapping[str, Any]]
    """The platform's own words beside a 401 for credentials that are dead."""
    required: ClassVar[Mapping[str, Sequence[str]]]
    """Topic -> top-level keys without which its body makes no sense."""
    exact: ClassVar[Mapping[str, Mapping[str, Any]]]
    """Payload name -> attribute -> value of its first event; Decimals are compared digit by digit, times by instant."""

    def make_platform(self, transport: Transport) -> Platform:
        """The adapter under test, speaking through `transport`."""
        raise NotImplementedError

    def sign(self, topic: str, body: bytes, secret: bytes, delivery: str = "delivery-1") -> dict[bytes, bytes]:
        """The headers of a genuine delivery of `body`, lower-case names, signed with `secret`."""
        raise NotImplementedError

    # ------------------------------------------------------------------ plumbing

    @classmethod
    def payloads(cls) -> list[Payload]:
        """Every payload file with its topic, in order of names."""
        known = {slug(topic): topic for topic in cls().platform_for(unreachable).topics}
        known |= {slug(topic): topic for topic in cls().platform_for(unreachable).compliance_topics}
        return [
            Payload(path.stem, known.get(path.stem.split("__")[0], ""), path.read_bytes())
            for path in sorted(cls.payloads_dir.glob("*.json"))
        ]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test that asks for `payload` once per file whose topic `parse` understands."""
        if "payload" in metafunc.fixturenames:
            topics = self.platform_for(unreachable).topics
            files = [payload for payload in self.payloads() if payload.topic in topics]
            metafunc.parametrize("payload", files, ids=[payload.name for payload in files])

    def platform_for(self, handler: Callable[[httpx2.Request], httpx2.Response]) -> Platform:
        """The adapter with a store that answers as `handler` does."""
        return self.make_platform(Transport(inner=httpx2.MockTransport(handler)))

    @pytest.fixture
    def platform(self) -> Platform:
        """The adapter with no store at all: nothing that only reads a delivery may call one."""
        return self.platform_for(unreachable)

    def parse(self, platform: Platform, topic: str, body: bytes) -> list[Event]:
        """Parse with this suite's context."""
        return platform.parse(DeliveryContext(topic=topic, at=RECEIVED, shop_country=self.shop_country), body)

    # ------------------------------------------------------------------ payload files

    def test_every_topic_has_a_payload_and_every_payload_a_topic(self, platform: Platform) -> None:
        payloads = self.payloads()
        assert {payload.topic for payload in payloads} >= platform.topics
        assert [payload.name for payload in payloads if not payload.topic] == []

    def test_compliance_topics_are_understood_and_ask_for_something(self, platform: Platform) -> None:
        """What the law asks of us has a payload each, means a request and nothing else, and nonsense under its name is refused."""
        asking = [payload for payload in self.payloads() if payload.topic in platform.compliance_topics]
        assert {payload.topic for payload in asking} == platform.compliance_topics
        for payload in asking:
            events = self.parse(platform, payload.topic, payload.body)
            assert events, payload.name
            assert all(isinstance(event, PrivacyRequest) for event in events), payload.name
            assert events == self.parse(platform, payload.topic, payload.body), payload.name
        for topic in sorted(platform.compliance_topics):
            for body in NONSENSE:
                with pytest.raises(PayloadError):
                    self.parse(platform, topic, body)

    def test_a_privacy_request_is_only_for_the_shop_and_the_topic_that_its_body_names(self, platform: Platform) -> None:
        """Headers are not signed everywhere: a body must not be good for another shop, nor for a request of another kind."""
        for payload in self.payloads():
            if payload.topic in platform.compliance_topics:
                with pytest.raises(PayloadError):
                    platform.parse(DeliveryContext(payload.topic, RECEIVED, shop_domain="somebody-else.example"), payload.body)
                for topic in platform.compliance_topics - {payload.topic}:
                    with pytest.raises(PayloadError):
                        self.parse(platform, topic, payload.body)

    def test_farewell_topics_are_understood_or_compliance(self, platform: Platform) -> None:
        assert platform.farewell_topics <= platform.topics | platform.compliance_topics
        assert not platform.topics & platform.compliance_topics

    # ------------------------------------------------------------------ signatures

    def test_a_genuine_delivery_is_recognised(self, platform: Platform, payload: Payload) -> None:
        meta = platform.verify(self.sign(payload.topic, payload.body, self.secret), payload.body, [self.secret], self.shop_key)
        assert (meta.topic, meta.shop_ref) == (payload.topic, self.shop_ref)
        assert len(meta.key) == 32

    def test_one_flipped_bit_of_the_body_is_refused(self, platform: Platform, payload: Payload) -> None:
        headers = self.sign(payload.topic, payload.body, self.secret)
        bits = len(payload.body) * 8
        for bit in {*range(0, bits, max(1, bits // 60)), bits - 1}:
            flipped = bytearray(payload.body)
            flipped[bit // 8] ^= 1 << bit % 8
            with pytest.raises(BadSignature):
                platform.verify(headers, bytes(flipped), [self.secret], self.shop_key)

    def test_a_body_cut_or_lengthened_is_refused(self, platform: Platform, payload: Payload) -> None:
        headers = self.sign(payload.topic, payload.body, self.secret)
        for body in (payload.body[:-1], payload.body + b"\n", b""):
            with pytest.raises(BadSignature):
                platform.verify(headers, body, [self.secret], self.shop_key)

    def test_one_flipped_bit_of_the_signature_is_refused(self, platform: Platform) -> None:
        payload = self.payloads()[0]
        genuine = self.sign(payload.topic, payload.body, self.secret)
        other = self.sign(payload.topic, payload.body, b"another secret")
        names = [name for name in genuine if genuine[name] != other[name]]
        assert names, "the signature must depend on the secret"
        for name in names:
            for bit in range(len(genuine[name]) * 8):
                flipped = bytearray(genuine[name])
                flipped[bit // 8] ^= 1 << bit % 8
                with pytest.raises(BadSignature):
                    platform.verify({**genuine, name: bytes(flipped)}, payload.body, [self.secret], self.shop_key)

    def test_a_missing_cut_or_strange_signature_is_refused(self, platform: Platform) -> None:
        payload = self.payloads()[0]
        genuine = self.sign(payload.topic, payload.body, self.secret)
        other = self.sign(payload.topic, payload.body, b"another secret")
        for name in [name for name in genuine if genuine[name] != other[name]]:
            without = {key: value for key, value in genuine.items() if key != name}
            strange = [b"", genuine[name][:-1], genuine[name] + b"=", b"\xff\xfe\xe9" * 15, "é".encode(), b"=" * 44, b"A" * 9000]
            for headers in [without, *({**genuine, name: value} for value in strange)]:
                with pytest.raises(BadSignature):
                    platform.verify(headers, payload.body, [self.secret], self.shop_key)

    def test_no_headers_at_all_are_refused(self, platform: Platform) -> None:
        with pytest.raises(BadSignature):
            platform.verify({}, b"{}", [self.secret], self.shop_key)

    def test_the_previous_secret_is_accepted_during_a_rotation(self, platform: Platform) -> None:
        payload = self.payloads()[0]
        secrets = [self.secret, self.previous_secret]
        old = platform.verify(self.sign(payload.topic, payload.body, self.previous_secret), payload.body, secrets, self.shop_key)
        new = platform.verify(self.sign(payload.topic, payload.body, self.secret), payload.body, secrets, self.shop_key)
        assert old == new

    def test_a_revoked_secret_is_refused(self, platform: Platform) -> None:
        payload = self.payloads()[0]
        with pytest.raises(BadSignature):
            platform.verify(self.sign(payload.topic, payload.body, self.previous_secret), payload.body, [self.secret], self.shop_key)

    def test_an_empty_secret_closes_the_door(self, platform: Platform) -> None:
        payload = self.payloads()[0]
        headers = self.sign(payload.topic, payload.body, b"")
        for secrets in ([], [b""], [b"", b""]):
            with pytest.raises(BadSignature):
                platform.verify(headers, payload.body, secrets, self.shop_key)

    def test_an_empty_secret_beside_a_real_one_opens_nothing(self, platform: Platform) -> None:
        payload = self.payloads()[0]
        with pytest.raises(BadSignature):
            platform.verify(self.sign(payload.topic, payload.body, b""), payload.body, [self.secret, b""], self.shop_key)

    def test_a_repeated_delivery_has_the_same_key_and_events(self, platform: Platform, payload: Payload) -> None:
        metas = [
            platform.verify(self.sign(payload.topic, payload.body, self.secret), payload.body, [self.secret], self.shop_key)
            for _ in range(2)
        ]
        assert metas[0] == metas[1]
        assert self.parse(platform, payload.topic, payload.body) == self.parse(platform, payload.topic, payload.body)

    def test_another_delivery_has_another_key(self, platform: Platform) -> None:
        payload = self.payloads()[0]
        keys = {
            platform.verify(self.sign(payload.topic, payload.body, self.secret, name), payload.body, [self.secret], self.shop_key).key
            for name in ("delivery-1", "delivery-2", "delivery-3")
        }
        assert len(keys) == 3

    def test_a_signed_delivery_is_no_ping(self, platform: Platform, payload: Payload) -> None:
        assert platform.is_ping(self.sign(payload.topic, payload.body, self.secret), payload.body) is False

    # ------------------------------------------------------------------ meaning

    def test_every_payload_means_something(self, platform: Platform, payload: Payload) -> None:
        assert self.parse(platform, payload.topic, payload.body)

    def test_values_are_exact_text_aware_and_finite(self, platform: Platform, payload: Payload) -> None:
        for event in self.parse(platform, payload.topic, payload.body):
            for name, value in leaves(event):
                assert not isinstance(value, float), name
                if isinstance(value, Decimal):
                    assert value.is_finite(), name
                if isinstance(value, datetime):
                    assert value.utcoffset() == timedelta(0), name
                if name.endswith(("_id", "key", "token", "sku")):
                    assert value is None or (isinstance(value, str) and value == value.strip()), name
                if name.endswith("_url"):
                    assert value is None or value.startswith(("https://", "http://")), name
                if isinstance(value, str):
                    assert "\x00" not in value, name

    def test_line_keys_are_unique_within_their_record(self, platform: Platform, payload: Payload) -> None:
        for event in self.parse(platform, payload.topic, payload.body):
            if isinstance(event, Checkout | Order):
                keys = [line.key for line in event.lines]
                assert len(set(keys)) == len(keys)
                assert all(keys)

    def test_unknown_fields_are_ignored(self, platform: Platform, payload: Payload) -> None:
        surprise = {"zz_new_field": {"deep": [1, None, {"x": "y"}]}, "zz_flag": True}
        body = json.dumps(sprinkle(json.loads(payload.body, parse_float=Decimal), surprise), default=str).encode()
        assert self.parse(platform, payload.topic, body) == self.parse(platform, payload.topic, payload.body)

    def test_a_missing_required_field_is_a_payload_error(self, platform: Platform, payload: Payload) -> None:
        for key in self.required.get(payload.topic, ()):
            body = json.loads(payload.body, parse_float=Decimal)
            assert key in body, f"{payload.name} has no {key}"
            del body[key]
            with pytest.raises(PayloadError) as caught:
                self.parse(platform, payload.topic, json.dumps(body, default=str).encode())
            assert caught.value.reason

    def test_nonsense_is_a_payload_error_and_nothing_else(self, platform: Platform) -> None:
        for topic in sorted(platform.topics):
            for body in NONSENSE:
                with pytest.raises(PayloadError) as caught:
                    self.parse(platform, topic, body)
                assert caught.value.platform == platform.name
                assert caught.value.reason == caught.value.reason.strip().lower()
                assert " " not in caught.value.reason

    def test_money_and_time_are_exact(self, platform: Platform) -> None:
        payloads = {payload.name: payload for payload in self.payloads()}
        kinds = set()
        for name, expected in self.exact.items():
            event = self.parse(platform, payloads[name].topic, payloads[name].body)[0]
            kinds.add(type(event))
            for attribute, value in expected.items():
                found = getattr(event, attribute)
                assert found == value, f"{name}.{attribute}"
                if isinstance(value, Decimal):
                    assert str(found) == str(value), f"{name}.{attribute}"
        assert kinds >= {Checkout, Order}

    # ------------------------------------------------------------------ what the store answers

    def call(self, answer: Callable[[httpx2.Request], httpx2.Response]) -> None:
        """Two reads of a store that answers everything alike; the first error leaves."""
        platform = self.platform_for(answer)
        platform.read_products(self.access, [self.product_id])
        platform.read_orders_since(self.access, RECEIVED)

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
    def test_a_broken_store_is_transient(self, status: int) -> None:
        with pytest.raises(TransientError) as caught:
            self.call(lambda _: httpx2.Response(status, content=HTML, headers={"content-type": "text/html"}))
        assert not isinstance(caught.value, ThrottledError)
        assert caught.value.status == status

    @pytest.mark.parametrize("content", [HTML, b"", b'{"data": {"nod', b"\xff\xfe", b"[1, 2"])
    def test_an_unreadable_answer_is_transient(self, content: bytes) -> None:
        with pytest.raises(TransientError):
            self.call(lambda _: httpx2.Response(200, content=content))

    def test_a_redirect_is_never_followed(self) -> None:
        asked: list[str] = []

        def moved(request: httpx2.Request) -> httpx2.Response:
            asked.append(request.url.host)
            return httpx2.Response(302, headers={"location": "https://elsewhere.example/"})

        with pytest.raises(TransientError):
            self.call(moved)
        assert asked == [self.access.domain]

    def test_no_answer_is_transient(self) -> None:
        with pytest.raises(TransientError) as caught:
            self.call(unreachable)
        assert caught.value.platform == self.platform_for(unreachable).name

    def test_refused_credentials_are_lost_access(self) -> None:
        with pytest.raises(AccessLost):
            self.call(lambda _: httpx2.Response(401, json=self.refusal))

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_page_of_somebody_else_does_not_end_the_connection(self, status: int) -> None:
        """A password wall, a firewall, maintenance: nothing that the platform itself has said of our credentials."""
        with pytest.raises(TransientError):
            self.call(lambda _: httpx2.Response(status, content=HTML, headers={"content-type": "text/html"}))

    def test_a_withheld_permission_is_not_permitted(self) -> None:
        with pytest.raises(NotPermitted):
            self.call(lambda _: httpx2.Response(403, json={"errors": "not for you", "code": "no", "message": "not for you"}))

    @pytest.mark.parametrize(("header", "seconds"), [("2.0", 2.0), ("7", 7.0), (None, 2.0), ("soon", 2.0), ("nan", 2.0), ("-5", 0.0)])
    def test_a_throttle_says_how_long_to_wait(self, header: str | None, seconds: float) -> None:
        headers = {} if header is None else {"retry-after": header}
        with pytest.raises(ThrottledError) as caught:
            self.call(lambda _: httpx2.Response(429, headers=headers))
        assert caught.value.retry_after == seconds

    @pytest.mark.parametrize("status", [401, 403, 429, 500])
    def test_errors_name_platform_call_and_status_but_no_secret(self, status: int) -> None:
        with pytest.raises(PlatformError) as caught:
            self.call(lambda _: httpx2.Response(status, json={"errors": "no"}))
        error = caught.value
        assert (error.platform, error.status) == (self.platform_for(unreachable).name, status)
        assert error.call
        assert not any(secret in f"{error!r} {error}" for secret in self.access.credentials.values() if len(secret) > 3)


def unreachable(request: httpx2.Request) -> httpx2.Response:
    """A store that nobody answers for."""
    raise httpx2.ConnectError("connection refused", request=request)


def slug(topic: str) -> str:
    """A topic as the beginning of a file name."""
    return topic.replace("/", "_")


def leaves(value: object, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value inside nested dataclasses and tuples, with the name of the attribute that holds it."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from leaves(getattr(value, field.name), field.name)
    elif isinstance(value, tuple):
        for item in value:
            yield from leaves(item, name)
    else:
        yield name, value


def sprinkle(value: Any, surprise: Mapping[str, Any]) -> Any:
    """The same JSON value with unknown keys added to every object in it that has keys already."""
    if isinstance(value, dict):
        return {**{key: sprinkle(item, surprise) for key, item in value.items()}, **(surprise if value else {})}
    if isinstance(value, list):
        return [sprinkle(item, surprise) for item in value]
    return value
