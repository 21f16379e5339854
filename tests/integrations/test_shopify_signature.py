"""Who signed it: webhook deliveries, query strings, and what their unsigned headers may and may not do."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.platforms import BadSignature, DeliveryMeta
from integrations.shopify.signature import same_text, shop_domain, verify_query, verify_webhook

SECRET = b"hush"
BODY = b'{"token":"1"}'


def headers(prefix: bytes = b"x-shopify-", body: bytes = BODY, secret: bytes = SECRET, **extra: bytes | None) -> dict[bytes, bytes]:
    values: dict[bytes, bytes | None] = {
        b"topic": b"checkouts/update",
        b"shop-domain": b"atelier-brume.myshopify.com",
        b"webhook-id": b"b54557e4-e9e0-4d5c-8c3a-1f6f5e2e5f01",
        b"triggered-at": b"2026-11-21T10:15:30.877041743Z",
        b"hmac-sha256": base64.b64encode(hmac.digest(secret, body, "sha256")),
    }
    values |= {name.replace("_", "-").encode(): value for name, value in extra.items()}
    return {prefix + name: value for name, value in values.items() if value is not None}


def meta(**extra: bytes | None) -> DeliveryMeta:
    return verify_webhook(headers(**extra), BODY, [SECRET])


class TestDeliveries:
    def test_both_header_families_are_known_and_give_the_same_key(self) -> None:
        assert verify_webhook(headers(b"x-shopify-"), BODY, [SECRET]) == verify_webhook(headers(b"shopify-"), BODY, [SECRET])

    def test_a_long_secret_list_is_tried_to_the_end(self) -> None:
        assert verify_webhook(headers(secret=b"third"), BODY, [b"first", b"", b"third"]).topic == "checkouts/update"

    def test_the_key_is_the_length_prefixed_digest_of_platform_shop_and_webhook_id(self) -> None:
        parts = [b"shopify", b"atelier-brume.myshopify.com", b"b54557e4-e9e0-4d5c-8c3a-1f6f5e2e5f01"]
        assert meta().key == hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()

    def test_the_key_does_not_change_with_topic_or_time(self) -> None:
        assert meta(topic=b"orders/paid", triggered_at=None).key == meta().key

    def test_shops_never_share_a_key(self) -> None:
        assert meta(shop_domain=b"other.myshopify.com").key != meta().key

    def test_without_webhook_id_topic_and_body_make_the_key(self) -> None:
        bare = meta(webhook_id=None)
        assert bare.key == meta(webhook_id=b"").key
        assert bare.key != meta(webhook_id=None, topic=b"orders/paid").key
        other = b'{"token":"2"}'
        assert bare.key != verify_webhook(headers(body=other, webhook_id=None), other, [SECRET]).key

    def test_the_topic_is_lower_case_and_bounded(self) -> None:
        assert meta(topic=b"Checkouts/Update").topic == "checkouts/update"
        assert meta(topic=None).topic == ""
        assert len(meta(topic=b"x" * 9000).topic) == 255

    def test_the_shop_is_lower_case(self) -> None:
        assert meta(shop_domain=b"Atelier-Brume.MyShopify.com").shop_ref == "atelier-brume.myshopify.com"

    @pytest.mark.parametrize("sent", [b"", b"evil.example", b"x.myshopify.com.evil.example", b"\xff\xfe", b"a" * 400])
    def test_an_authentic_delivery_for_a_strange_shop_is_kept_under_what_was_sent(self, sent: bytes) -> None:
        assert meta(shop_domain=sent).shop_ref == sent.decode("ascii", "replace")[:255]

    @pytest.mark.parametrize(
        ("sent", "instant"),
        [
            (b"2026-11-21T10:15:30.877041743Z", datetime(2026, 11, 21, 10, 15, 30, 877041, tzinfo=UTC)),
            (b"2026-11-21T10:15:30Z", datetime(2026, 11, 21, 10, 15, 30, tzinfo=UTC)),
            (b"2026-11-21T05:15:30.5-05:00", datetime(2026, 11, 21, 10, 15, 30, 500_000, tzinfo=UTC)),
            (b"2026-11-21T10:15:30", None),
            (b"soon", None),
            (b"\xff", None),
            (b"", None),
            (b"0001-01-01T00:00:00+14:00", None),
            (None, None),
        ],
    )
    def test_triggered_at_is_utc_or_unknown(self, sent: bytes | None, instant: datetime | None) -> None:
        assert meta(triggered_at=sent).triggered_at == instant

    @given(st.binary(max_size=80))
    def test_no_made_up_signature_passes_or_breaks(self, signature: bytes) -> None:
        with pytest.raises(BadSignature):
            verify_webhook(headers(hmac_sha256=signature), BODY, [SECRET])


class TestQueries:
    QUERY = "code=0907a61c&shop=atelier-brume.myshopify.com&state=AbC-1_2&timestamp=1795256130"

    def signed(self, query: str, secret: bytes = SECRET) -> list[tuple[str, str]]:
        pairs = parse_qsl(query, keep_blank_values=True)
        message = urlencode(sorted(pairs)).replace("+", "%20").encode()
        return [*pairs, ("hmac", hmac.digest(secret, message, "sha256").hex())]

    def test_the_documented_example_of_shopify_verifies(self) -> None:
        example = "code=0907a61c0c8d55e99db179b68161bc00&shop=some-shop.myshopify.com&state=0.6784241404160823&timestamp=1337178173"
        digest = "700e2dadb827fcc8609e9d5ce208b2e9cdaab9df07390d2cbca10d7c328fc4bf"
        assert verify_query([*parse_qsl(example), ("hmac", digest)], [SECRET])

    def test_order_does_not_matter_and_unknown_parameters_are_signed_too(self) -> None:
        pairs = self.signed(self.QUERY + "&host=YWRtaW4&new=a b/ü")
        assert verify_query(pairs, [SECRET])
        assert verify_query(pairs[::-1], [SECRET])
        assert not verify_query([*pairs, ("extra", "1")], [SECRET])
        assert not verify_query([pair for pair in pairs if pair[0] != "new"], [SECRET])

    def test_the_old_signature_parameter_is_left_out(self) -> None:
        assert verify_query([*self.signed(self.QUERY), ("signature", "whatever")], [SECRET])

    def test_both_secrets_count_and_an_empty_one_never(self) -> None:
        assert verify_query(self.signed(self.QUERY, b"old"), [SECRET, b"old"])
        assert not verify_query(self.signed(self.QUERY, b""), [b""])
        assert not verify_query(self.signed(self.QUERY), [])

    def test_a_name_that_occurs_twice_is_refused(self) -> None:
        pairs = self.signed(self.QUERY)
        assert not verify_query([("shop", "evil.myshopify.com"), *pairs], [SECRET])
        assert not verify_query([*pairs, pairs[-1]], [SECRET])

    @pytest.mark.parametrize("given_hmac", ["", "é", "A" * 64, "\ud800"])
    def test_a_missing_or_strange_hmac_is_refused(self, given_hmac: str) -> None:
        pairs = [pair for pair in self.signed(self.QUERY) if pair[0] != "hmac"]
        assert not verify_query(pairs, [SECRET])
        assert not verify_query([*pairs, ("hmac", given_hmac)], [SECRET])

    def test_a_changed_value_is_refused(self) -> None:
        pairs = [(name, value + "x" if name == "shop" else value) for name, value in self.signed(self.QUERY)]
        assert not verify_query(pairs, [SECRET])


class TestShops:
    @pytest.mark.parametrize("text", ["a.myshopify.com", "Atelier-Brume.myshopify.com", "1-2.myshopify.com"])
    def test_shop_domains_are_recognised_in_lower_case(self, text: str) -> None:
        assert shop_domain(text) == text.lower()

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "myshopify.com",
            ".myshopify.com",
            "-a.myshopify.com",
            "a.myshopify.com\n",
            "a.b.myshopify.com",
            "a.myshopify.com.evil.example",
            "evil.example/a.myshopify.com",
            "a.myshopify.comx",
            "a_b.myshopify.com",
            "ä.myshopify.com",
            "\u212a.myshopify.com",
            "a@b.myshopify.com",
            "a" * 250 + ".myshopify.com",
        ],
    )
    def test_anything_else_is_no_shop(self, text: str) -> None:
        assert shop_domain(text) is None

    def test_texts_are_compared_whatever_they_hold(self) -> None:
        assert same_text("é\ud800", "é\ud800")
        assert not same_text("a", "é")
