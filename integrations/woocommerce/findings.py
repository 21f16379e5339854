"""What a store's reports mean for the connection: pure, one check each. `found` holds names, versions and numbers only."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from connector.checkups import Check, Verdict
from connector.platforms import PayloadError
from integrations.woocommerce.calling import HEADER, OAUTH
from integrations.woocommerce.payloads import WebhookBody
from integrations.woocommerce.reports import PluginReport, SystemReport, short, version
from integrations.woocommerce.values import instant

FOLDER = "connector-carts"
"""The folder of our plugin in a store."""
CORE = "core"
OLDEST, NEWEST, NO_DRAFTS = 9, 11, (10, 8, 0)
OLDEST_WORDPRESS, OLDEST_PHP = (6, 4, 0), (7, 4, 0)
CLOCK_ATTENTION, CLOCK_BAD = 60, 300
DUE_ATTENTION, DUE_BAD = 600, 3600
MAILERS: Mapping[str, str] = {
    CORE: "WooCommerce",
    "automatewoo": "AutomateWoo",
    "cartflows": "CartFlows",
    "klaviyo": "Klaviyo",
    "mailchimp": "Mailchimp",
    "mailpoet": "MailPoet",
    "omnisend": "Omnisend",
    "retainful": "Retainful",
    "tyche": "Abandoned Cart (Tyche)",
    "brevo": "Brevo",
    "hubspot": "HubSpot",
    "drip": "Drip",
}
MAILER_FOLDERS: Mapping[str, str] = {
    "automatewoo": "automatewoo",
    "woo-cart-abandonment-recovery": "cartflows",
    "klaviyo": "klaviyo",
    "mailchimp-for-woocommerce": "mailchimp",
    "mailpoet": "mailpoet",
    "omnisend": "omnisend",
    "omnisend-connect": "omnisend",
    "retainful-next-order-coupon-for-woocommerce": "retainful",
    "woocommerce-abandoned-cart": "tyche",
    "woocommerce-abandon-cart-pro": "tyche",
    "woocommerce-sendinblue-newsletter-subscription": "brevo",
    "mailin": "brevo",
    "hubspot-for-woocommerce": "hubspot",
    "makewebbetter-hubspot-for-woocommerce": "hubspot",
    "drip": "drip",
    "drip-ecommerce": "drip",
}
WHOLE_CHECKOUTS: Mapping[str, str] = {
    "klarna-checkout-for-woocommerce": "Klarna Checkout",
    "dibs-easy-for-woocommerce": "Nexi Checkout",
    "qliro-one-for-woocommerce": "Qliro",
    "collector-checkout-for-woocommerce": "Walley",
    "svea-checkout-for-woocommerce": "Svea Checkout",
    "dintero-checkout-for-woocommerce": "Dintero",
}
"""These put the whole checkout into a frame of their own."""
EXPRESS_BUTTONS: Mapping[str, str] = {
    "woocommerce-payments": "WooPayments (WooPay, Apple Pay, Google Pay)",
    "woocommerce-gateway-stripe": "Stripe (Link, Apple Pay, Google Pay)",
    "woocommerce-paypal-payments": "PayPal",
    "woocommerce-gateway-amazon-payments-advanced": "Amazon Pay",
    "woocommerce-square": "Square (Apple Pay, Google Pay)",
    "klarna-payments-for-woocommerce": "Klarna Express",
}
"""Whoever presses one of their buttons types the address in a window of theirs."""
GUARDS: Mapping[str, str] = {
    "wordfence": "Wordfence",
    "better-wp-security": "Solid Security",
    "ithemes-security-pro": "Solid Security Pro",
    "all-in-one-wp-security-and-firewall": "All In One Security",
    "sucuri-scanner": "Sucuri",
    "wp-cerber": "WP Cerber",
    "ninjafirewall": "NinjaFirewall",
    "wp-simple-firewall": "Shield Security",
    "sg-security": "SiteGround Security",
    "secupress": "SecuPress",
    "bulletproof-security": "BulletProof Security",
    "disable-json-api": "Disable REST API",
    "wp-hide-security-enhancer": "WP Hide",
    "password-protected": "Password Protected",
}


def address(domain: str, home: object, *, is_plain: bool) -> Check:
    """Whether the store calls itself what we call it."""
    if is_plain:
        return Check("address", Verdict.ATTENTION, (domain,), "plain_http")
    try:
        parts = urlsplit(home if isinstance(home, str) else "")
        host, theirs = parts.scheme, f"{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/").lower()
    except ValueError:
        host, theirs = "", ""
    if theirs and theirs.removeprefix("www.") != domain.lower().removeprefix("www."):
        return Check("address", Verdict.ATTENTION, (theirs[:200], domain), "other_home")
    if host == "http":
        return Check("address", Verdict.ATTENTION, (theirs[:200],), "http_home")
    return Check("address", Verdict.GOOD, (domain,))


def keys(mode: str) -> Check:
    """How the keys travel."""
    if mode == HEADER:
        return Check("keys", Verdict.GOOD)
    return Check("keys", Verdict.ATTENTION, cause="oauth" if mode == OAUTH else "query")


def firewall(plugins: Collection[str] | None) -> Check:
    """Which guards stand before the site, all of which let us through."""
    if plugins is None:
        return Check("firewall", Verdict.UNKNOWN)
    found = _names(GUARDS, plugins)
    return Check("firewall", Verdict.GOOD, found, "passing" if found else "")


def clock(store: datetime | None, ours: datetime) -> Check:
    """How far the store's clock is from ours, in seconds; a positive number is ahead."""
    if store is None:
        return Check("clock", Verdict.UNKNOWN)
    ahead = round((store - ours).total_seconds())
    verdict = Verdict.BAD if abs(ahead) >= CLOCK_BAD else Verdict.ATTENTION if abs(ahead) >= CLOCK_ATTENTION else Verdict.GOOD
    return Check("clock", verdict, (str(abs(ahead)),), "" if verdict is Verdict.GOOD else "ahead" if ahead > 0 else "behind")


def versions(system: SystemReport) -> list[Check]:
    """WooCommerce, WordPress, PHP."""
    told = system.environment
    return [
        _woocommerce(told.version),
        _at_least("wordpress", told.wp_version, OLDEST_WORDPRESS),
        _at_least("php", told.php_version, OLDEST_PHP),
    ]


def cron(system: SystemReport, plugin: PluginReport | None) -> Check:
    """Whether the store's timetable runs, on which its webhooks go out."""
    is_off = system.environment.wp_cron is False
    waiting = plugin.timetable().oldest_due_seconds if plugin else None
    if not isinstance(waiting, int) or isinstance(waiting, bool):
        return Check("cron", Verdict.ATTENTION, cause="disabled") if is_off else Check("cron", Verdict.UNKNOWN)
    minutes = (str(max(waiting, 0) // 60),)
    if waiting < DUE_ATTENTION:
        return Check("cron", Verdict.GOOD, minutes)
    return Check("cron", Verdict.BAD if waiting >= DUE_BAD else Verdict.ATTENTION, minutes, "disabled_late" if is_off else "late")


def webhooks(listed: Sequence[WebhookBody] | None, topics: Sequence[str], where: str, plugin: PluginReport | None) -> Check:
    """Whether every topic has an active webhook with our address."""
    if listed is None:
        return Check("webhooks", Verdict.UNKNOWN)
    ours = [one for one in listed if one.delivery_url == where]
    active = {one.topic for one in ours if one.status == "active"}
    missing = [topic for topic in topics if topic not in active]
    stopped = [topic for topic in missing if any(one.topic == topic for one in ours)]
    count = f"{len(topics) - len(missing)}/{len(topics)}"
    if missing:
        cause = "stopped" if stopped else "none" if not active else "missing"
        return Check("webhooks", Verdict.BAD, (count, *(stopped or missing)), cause)
    failures = plugin.cart_webhook().failures if plugin else None
    if isinstance(failures, int) and failures > 0:
        return Check("webhooks", Verdict.ATTENTION, (count, str(failures)), "failing")
    return Check("webhooks", Verdict.GOOD, (count,))


def companion(system: SystemReport, plugin: PluginReport | None, ours: str) -> list[Check]:
    """Our plugin, and whom it listens to."""
    if plugin is None:
        return [_without(system)]
    theirs = short(plugin.plugin)
    if plugin.moved is True:
        return [Check("plugin", Verdict.BAD, (theirs,), "moved")]
    is_older = (version(plugin.plugin) or (0, 0, 0)) < (version(ours) or (0, 0, 0))
    found = Check("plugin", Verdict.ATTENTION, (theirs, ours), "outdated") if is_older else Check("plugin", Verdict.GOOD, (theirs,))
    return [found, _capture(str(plugin.capture or ""))]


def checkout_page(system: SystemReport, plugin: PluginReport | None) -> Check:
    """What the checkout page is made of."""
    kind = str(plugin.checkout or "") if plugin else ""
    kind = kind if kind in ("block", "classic", "both", "none") else system.checkout()
    if not kind:
        return Check("checkout_page", Verdict.UNKNOWN)
    return Check("checkout_page", Verdict.ATTENTION if kind == "none" else Verdict.GOOD, cause=kind)


def order_storage(system: SystemReport, plugin: PluginReport | None) -> Check:
    """Whether orders are kept in tables of their own; where not, a changing draft does not look newer."""
    is_hpos = system.is_hpos()
    if is_hpos is None and plugin is not None and isinstance(plugin.hpos, bool):
        is_hpos = plugin.hpos
    if is_hpos is None:
        return Check("order_storage", Verdict.UNKNOWN)
    if is_hpos:
        return Check("order_storage", Verdict.GOOD)
    return Check("order_storage", Verdict.GOOD if plugin else Verdict.ATTENTION, cause="legacy")


def mailers(system: SystemReport, plugin: PluginReport | None, *, is_core_on: bool) -> Check:
    """Who else writes to those who left a cart. Our plugin keeps WooCommerce's own mail back while its webhook is active."""
    plugins = system.plugins()
    if plugin is None and plugins is None:
        return Check("mailers", Verdict.UNKNOWN)
    found = {MAILER_FOLDERS[one] for one in plugins or () if one in MAILER_FOLDERS} | ({CORE} if is_core_on else set())
    if plugin is not None:
        found |= plugin.mailer_names()
        found -= {CORE} if plugin.cart_webhook().status == "active" else set()
    names = tuple(MAILERS.get(one, one) for one in sorted(found, key=lambda one: (one != CORE, one)))
    cause = "" if not found else CORE if found == {CORE} else "others"
    return Check("mailers", Verdict.ATTENTION if found else Verdict.GOOD, names, cause)


def hidden_email(plugins: Collection[str] | None) -> Check:
    """Payment pages that keep the shopper's address to themselves until the order is there."""
    if plugins is None:
        return Check("hidden_email", Verdict.UNKNOWN)
    whole, express = _names(WHOLE_CHECKOUTS, plugins), _names(EXPRESS_BUTTONS, plugins)
    if whole:
        return Check("hidden_email", Verdict.ATTENTION, (*whole, *express), "iframe")
    if express:
        return Check("hidden_email", Verdict.ATTENTION, express, "express")
    return Check("hidden_email", Verdict.GOOD)


def plugin_clock(plugin: PluginReport | None) -> datetime | None:
    """The store's own time, as the plugin tells it."""
    try:
        return instant(str(plugin.clock)) if plugin and plugin.clock else None
    except PayloadError:
        return None


def _woocommerce(told: object) -> Check:
    number = version(told)
    if number is None:
        return Check("woocommerce_version", Verdict.UNKNOWN)
    if number[0] < OLDEST:
        return Check("woocommerce_version", Verdict.BAD, (short(told),), "old")
    return Check(
        "woocommerce_version",
        Verdict.ATTENTION if number[0] > NEWEST else Verdict.GOOD,
        (short(told),),
        "new" if number[0] > NEWEST else "",
    )


def _at_least(name: str, told: object, oldest: tuple[int, int, int]) -> Check:
    number = version(told)
    if number is None:
        return Check(f"{name}_version", Verdict.UNKNOWN)
    is_old = number < oldest
    return Check(f"{name}_version", Verdict.ATTENTION if is_old else Verdict.GOOD, (short(told),), "old" if is_old else "")


def _without(system: SystemReport) -> Check:
    if FOLDER in (system.plugins() or ()):
        return Check("plugin", Verdict.BAD, cause="silent")
    has_drafts = (version(system.environment.version) or NO_DRAFTS) < NO_DRAFTS and system.checkout() != "classic"
    return Check("plugin", Verdict.ATTENTION, cause="missing_drafts" if has_drafts else "missing")


def _capture(mode: str) -> Check:
    verdicts = {"everyone": Verdict.GOOD, "opt_in": Verdict.GOOD, "logged_in": Verdict.ATTENTION, "off": Verdict.BAD}
    return Check("capture", verdicts.get(mode, Verdict.UNKNOWN), cause=mode if mode in verdicts else "")


def _names(known: Mapping[str, str], plugins: Collection[str]) -> tuple[str, ...]:
    return tuple(name for folder, name in known.items() if folder in plugins)
