"""The contexts of a shop's pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector.rules.abandonment import DEFAULT_MINUTES, LONGEST_MINUTES, PRESET_MINUTES, SHORTEST_MINUTES
from connector.store.automation_tables import AutomationRow
from connector.store.installs import WebhookCheck
from connector.store.overview import TopicHealth
from connector.store.tables import ShopRow
from connector.web.formats import PLATFORM_TITLES, SHOP_STATES, Moment, duration, moment, moment_or_none, zone
from connector.web.merchant.forms import MAX_EXTRA_TEXT, OTHER


@dataclass(frozen=True, slots=True)
class Delay:
    """One delay that can be chosen. An empty `value` is never chosen; `other` leads to the free number."""

    value: str
    text: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class AutomationPage:
    """The form, as it is or as it was typed."""

    shop_id: str
    shop_name: str
    is_on: bool
    since: Moment | None
    delay_text: str
    delays: tuple[Delay, ...]
    minutes: str
    shortest: int
    longest: int
    clock: str
    extra_text: str
    most_text: int
    problem: str


@dataclass(frozen=True, slots=True)
class TopicLine:
    """One topic that was heard lately."""

    topic: str
    count: int
    quarantined: int
    last_at: Moment


@dataclass(frozen=True, slots=True)
class ShopPage:
    """How a shop is connected. `check_words` is empty if its webhooks were never registered by us."""

    shop_id: str
    name: str
    platform: str
    domain: str
    url: str
    state: str
    state_text: str
    again_url: str
    installed_at: Moment
    uninstalled_at: Moment | None
    currency: str
    timezone: str
    contact: tuple[str, ...]
    hosts: tuple[str, ...]
    scopes: tuple[str, ...]
    missing_scopes: tuple[str, ...]
    is_on: bool
    delay_text: str
    registers: bool
    address: str
    check_at: Moment | None
    is_ready: bool
    check_words: str
    topics: tuple[TopicLine, ...]


def automation_page(shop: ShopRow, automation: AutomationRow, typed: Mapping[str, str], problem: str) -> AutomationPage:
    """What is saved, overlaid by what was `typed` and refused."""
    minutes = typed.get("minutes", str(shop.threshold_minutes))
    presets = [str(preset) for preset in PRESET_MINUTES]
    chosen = typed.get("delay", OTHER if "minutes" in typed or minutes not in presets else minutes)
    delays = [Delay(preset, _preset_text(int(preset)), preset == chosen) for preset in presets]
    return AutomationPage(
        shop_id=shop.public_id,
        shop_name=shop.name,
        is_on=automation.is_on,
        since=moment_or_none(automation.activated_at if automation.is_on else automation.deactivated_at, zone(shop.timezone)),
        delay_text=duration(shop.threshold_minutes),
        delays=(*delays, Delay(OTHER, "Another delay", chosen == OTHER)),
        minutes=minutes,
        shortest=SHORTEST_MINUTES,
        longest=LONGEST_MINUTES,
        clock=typed.get("clock", shop.activity_clock),
        extra_text=typed.get("extra_text", automation.extra_text or ""),
        most_text=MAX_EXTRA_TEXT,
        problem=problem,
    )


def shop_page(
    shop: ShopRow,
    automation: AutomationRow,
    topics: Sequence[TopicHealth],
    check: WebhookCheck | None,
    *,
    registers: bool,
    address: str,
) -> ShopPage:
    """Everything about the connection. `registers`: we make the shop's webhooks ourselves, at `address`."""
    place = zone(shop.timezone)
    return ShopPage(
        shop_id=shop.public_id,
        name=shop.name,
        platform=PLATFORM_TITLES.get(shop.platform, shop.platform),
        domain=shop.domain,
        url=shop.url,
        state=shop.state,
        state_text=SHOP_STATES[shop.state],
        again_url="/connect/woocommerce" if registers else "",
        installed_at=moment(shop.installed_at, place),
        uninstalled_at=moment_or_none(shop.uninstalled_at, place),
        currency=shop.currency,
        timezone=shop.timezone,
        contact=tuple(text for text in (shop.contact_email, shop.contact_address) if text),
        hosts=tuple(shop.hosts),
        scopes=tuple(shop.scopes),
        missing_scopes=tuple(shop.missing_scopes),
        is_on=automation.is_on,
        delay_text=duration(shop.threshold_minutes),
        registers=registers,
        address=address,
        check_at=None if check is None else moment(check.at, place),
        is_ready=check is not None and check.is_ready,
        check_words="" if check is None else check.words,
        topics=tuple(TopicLine(t.topic, t.count, t.quarantined, moment(t.last_at, place)) for t in topics),
    )


def _preset_text(minutes: int) -> str:
    return f"{duration(minutes)} (suggested)" if minutes == DEFAULT_MINUTES else duration(minutes)
