"""
The three consent topics -> what one address says of one channel.

They name the customer, the address and the instant differently, and write the state in either letter case. Absent is never
unsubscribed: where the body names no address or no state, the customer is read again instead.
Source: shopify.dev webhooks reference 2026-07, `customers_email_marketing_consent/update` and its two sisters.
"""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from connector.canonical import Channel, Consent, ConsentChanged, ConsentState, Resource, Stale
from connector.rules.identity import normalise_email, parse_phone
from integrations.shopify.payloads import ConsentBody, ConsentWords, payload_error
from integrations.shopify.values import optional_instant, text

SOURCE = "platform"
_STATES = {
    "subscribed": ConsentState.SUBSCRIBED,
    "pending": ConsentState.PENDING,
    "unsubscribed": ConsentState.UNSUBSCRIBED,
    # Erased by Shopify on the person's own request: whoever asked for that is not to be written to.
    "redacted": ConsentState.UNSUBSCRIBED,
}
"""All others (not_subscribed, never_subscribed, invalid, new words) say nothing of what the person wants: UNKNOWN."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What a consent body says, whatever it calls it."""

    words: ConsentWords | None
    customer_id: str | None
    address: str | None


def consent_state(word: str | None) -> ConsentState:
    """Shopify's state of marketing consent in either spelling; what is unknown or missing is UNKNOWN, never UNSUBSCRIBED."""
    return _STATES.get((text(word) or "").lower(), ConsentState.UNKNOWN)


def to_consent(body: ConsentBody, channel: Channel, at: datetime, shop_country: str | None = None) -> ConsentChanged | Stale:
    """
    Map one of the consent topics; `at` stands in for an instant that the body does not tell.

    Without an address (withheld, or none) or a state the customer is Stale. Raises: PayloadError (`missing_id`, `bad_time`,
    `wrong_topic` for a body of another topic: only the body is signed).
    """
    if body.created_at is not None:
        raise payload_error("wrong_topic", "a whole customer, not a consent")
    told = _told(body, channel, shop_country)
    state = text(told.words.state) if told.words else None
    if told.words is None or state is None or told.address is None:
        if told.customer_id is None:
            raise payload_error("missing_id")
        return Stale(Resource.CUSTOMER, told.customer_id, at)
    since = optional_instant(told.words.consent_updated_at or told.words.updated_at) or at
    return ConsentChanged(told.address, Consent(channel, consent_state(state), since, SOURCE), told.customer_id)


def _told(body: ConsentBody, channel: Channel, country: str | None) -> _Told:
    if channel is Channel.EMAIL:
        return _Told(_present(body.email_marketing_consent), text(body.customer_id), normalise_email(body.email_address))
    if channel is Channel.SMS:
        return _Told(_present(body.sms_marketing_consent), text(body.id) or text(body.customer_id), _number(body.phone, country))
    return _Told(_present(body.whats_app_marketing_consent), text(body.customer_id), _number(body.phone_number, country))


def _present(words: ConsentWords | msgspec.UnsetType | None) -> ConsentWords | None:
    if words is msgspec.UNSET:
        raise payload_error("wrong_topic", "no consent of this channel")
    return words or None


def _number(raw: str | None, country: str | None) -> str | None:
    phone = parse_phone(text(raw), country)
    return phone.e164 if phone else None
