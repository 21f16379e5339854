"""One shop as support sees it: whether it is connected, heard and up to date, who belongs to it, and what was done lately."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.canonical import Resource
from connector.errors import ConfigError
from connector.rules.permissions import StaffPermission
from connector.rules.zones import zone
from connector.store import audit, automations, browsing, installs, members, notices, overview, shops, topic_health, trail, wanted
from connector.store.access_tables import MemberRow, NoticeRow
from connector.store.automation_tables import AutomationRow
from connector.store.browsing import Backlog
from connector.store.db import Session
from connector.store.installs import WebhookCheck
from connector.store.overview import TopicHealth
from connector.store.sync_tables import TopicHealthRow
from connector.store.tables import AccountRow, ShopRow
from connector.store.trail import Entry, Sought
from connector.web.auth import StaffAsk, staff_reading
from connector.web.composition import Composition
from connector.web.formats import PLATFORM_TITLES, Moment, duration, moment, moment_or_none
from connector.web.inputs import known_id
from connector.web.language import N_
from connector.web.merchant.phrases import NOTICES, shop_state
from connector.web.phrases import DELIVERY_STATES
from connector.web.support.audit import AuditLine, audit_line
from connector.web.support.masks import masked_email
from connector.web.support.silence import SilentTopic, silent_topics
from connector.web.withholding import UnreadRecord, WithheldNote, unread_records, withheld_note

ENTRIES = 10
UNREAD = 20
ROLES = {"owner": N_("owner"), "marketer": N_("marketer"), "read_only": N_("read-only")}
NO_TOKEN = N_("None is held: the store must be connected again")
SEALED_TOKEN = N_("Held, but it cannot be opened with the present SEALING_KEY")
TOKEN = N_("Held")
TOKEN_UNTIL = N_("Held; the present one lasts until {at} and is renewed by itself")

router = APIRouter()
Looker = Annotated[StaffAsk, Depends(staff_reading(StaffPermission.LOOK))]


@dataclass(frozen=True, slots=True)
class Heard:
    """One topic that was heard lately. `url` leads to its deliveries."""

    topic: str
    url: str
    count: int
    quarantined: int
    last_at: Moment


@dataclass(frozen=True, slots=True)
class Count:
    """Deliveries in one state. `url` leads to them."""

    state: str
    url: str
    count: int


@dataclass(frozen=True, slots=True)
class Webhooks:
    """How the shop's webhooks were registered; without `at` we never did."""

    registers: bool
    at: Moment | None
    is_ready: bool
    words: str


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the account, masked."""

    email: str
    role: str
    since: Moment


@dataclass(frozen=True, slots=True)
class OpenNotice:
    """Something that owners were told and that is not settled."""

    text: str
    at: Moment


@dataclass(frozen=True, slots=True)
class SupportShopPage:
    """Everything about one shop but its shoppers. `reason`: why this person looks, if they said so within the last half an hour."""

    shop_id: str
    name: str
    platform: str
    domain: str
    state: str
    state_kind: str
    installed_at: Moment
    uninstalled_at: Moment | None
    currency: str
    timezone: str
    contact: str
    scopes: tuple[str, ...]
    missing_scopes: tuple[str, ...]
    withheld: WithheldNote
    unread: tuple[UnreadRecord, ...]
    token: str
    webhooks: Webhooks
    silent: tuple[SilentTopic, ...]
    topics: tuple[Heard, ...]
    counts: tuple[Count, ...]
    days: int
    backlog: Backlog
    waiting_since: Moment | None
    is_on: bool
    delay_text: str
    switched_at: Moment | None
    account_id: str
    account_name: str
    people: tuple[Person, ...]
    notices: tuple[OpenNotice, ...]
    entries: tuple[AuditLine, ...]
    audit_url: str
    may_see_people: bool
    reason: str


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read for the page."""

    shop: ShopRow
    account: AccountRow
    automation: AutomationRow
    check: WebhookCheck | None
    health: Sequence[TopicHealthRow]
    topics: Sequence[TopicHealth]
    counts: Mapping[str, int]
    backlog: Backlog
    people: Sequence[MemberRow]
    notices: Sequence[NoticeRow]
    entries: Sequence[Entry]
    reason: str
    unread: Sequence[tuple[Resource, str, str]]


@router.get("/support/shops/{shop}")
def show_shop(ask: Looker, shop: str) -> Response:
    """The page."""
    with ask.system("support looks at a shop") as session:
        read = _read(ask, session, shops.find_shop(session, known_id(shop)))
    return ask.render("support_shop.html", _page(ask, read))


def token_words(ask: StaffAsk, shop: ShopRow, place: tzinfo) -> str:
    """What there is to call the shop with; never the token itself."""
    if shop.credentials is None:
        return ask.gettext(NO_TOKEN)
    try:
        ends = ask.parts.services.vault.open(shop.credentials).get("expires_at", "")
    except ConfigError:
        return ask.gettext(SEALED_TOKEN)
    if not ends:
        return ask.gettext(TOKEN)
    return ask.gettext(TOKEN_UNTIL).format(at=moment(datetime.fromisoformat(ends), place, ask.language).short)


def _read(ask: StaffAsk, session: Session, shop: ShopRow) -> _Read:
    assert shop.id is not None
    return _Read(
        shop=shop,
        account=browsing.account_of(session, shop),
        automation=automations.get_automation(session, shop.id),
        check=installs.last_webhook_check(session, shop.id),
        health=topic_health.list_health(session, shop.id),
        topics=overview.topics_heard(session, shop.id),
        counts=overview.delivery_counts(session, shop.id),
        backlog=browsing.backlog(session, shop.id),
        people=members.list_members(session, shop.account_id),
        notices=[one for one in notices.list_open(session, shop.account_id) if one.shop_id in (None, shop.id)],
        entries=trail.list_trail(session, Sought(shop.id), None, ENTRIES),
        reason=audit.reason_given(session, ask.session_public_id, shop.id) or "",
        unread=wanted.list_hopeless(session, shop.id, UNREAD),
    )


def _page(ask: StaffAsk, read: _Read) -> SupportShopPage:
    shop, place = read.shop, zone(read.shop.timezone)
    automation = read.automation
    switched_at = automation.activated_at if automation.is_on else automation.deactivated_at
    deliveries = f"/support/shops/{shop.public_id}/deliveries"
    state_text, state_kind = shop_state(shop.state, shop.missing_scopes, ask.language)
    return SupportShopPage(
        shop_id=shop.public_id,
        name=shop.name,
        platform=PLATFORM_TITLES.get(shop.platform, shop.platform),
        domain=shop.domain,
        state=state_text,
        state_kind=state_kind,
        installed_at=moment(shop.installed_at, place, ask.language),
        uninstalled_at=moment_or_none(shop.uninstalled_at, place, ask.language),
        currency=shop.currency,
        timezone=shop.timezone,
        contact=masked_email(shop.contact_email),
        scopes=tuple(shop.scopes),
        missing_scopes=tuple(shop.missing_scopes),
        withheld=withheld_note(shop.withheld, PLATFORM_TITLES.get(shop.platform, shop.platform), ask.gettext),
        unread=unread_records(read.unread, ask.gettext),
        token=token_words(ask, shop, place),
        webhooks=_webhooks(ask.parts, shop, read.check, place, ask.language),
        silent=silent_topics(read.health, deliveries, place, ask.language),
        topics=tuple(_heard(topic, deliveries, place, ask.language) for topic in read.topics),
        counts=tuple(
            Count(ask.gettext(DELIVERY_STATES[state]), f"{deliveries}?state={state}", count) for state, count in read.counts.items()
        ),
        days=overview.DAYS,
        backlog=read.backlog,
        waiting_since=moment_or_none(read.backlog.oldest_at, place, ask.language),
        is_on=automation.is_on,
        delay_text=duration(shop.threshold_minutes, ask.language),
        switched_at=moment_or_none(switched_at, place, ask.language),
        account_id=read.account.public_id,
        account_name=read.account.name,
        people=tuple(_person(ask, row, place) for row in read.people),
        notices=tuple(OpenNotice(ask.gettext(NOTICES[one.cause]), moment(one.at, place, ask.language)) for one in read.notices),
        entries=tuple(audit_line(ask, entry, place) for entry in read.entries),
        audit_url=f"/support/audit?shop={shop.public_id}" if ask.may(StaffPermission.AUDIT) else "",
        may_see_people=ask.may(StaffPermission.PERSONAL),
        reason=read.reason,
    )


def _webhooks(parts: Composition, shop: ShopRow, check: WebhookCheck | None, place: tzinfo, language: str) -> Webhooks:
    registers = parts.services.platforms[shop.platform].can.registers_webhooks
    if check is None:
        return Webhooks(registers, None, False, "")
    return Webhooks(registers, moment(check.at, place, language), check.is_ready, check.words)


def _heard(topic: TopicHealth, deliveries: str, place: tzinfo, language: str) -> Heard:
    url = f"{deliveries}?topic={topic.topic}"
    return Heard(topic.topic, url, topic.count, topic.quarantined, moment(topic.last_at, place, language))


def _person(ask: StaffAsk, row: MemberRow, place: tzinfo) -> Person:
    email = masked_email(row.email) or "—"
    return Person(email, ask.gettext(ROLES[row.role]), moment(row.created_at, place, ask.language))
