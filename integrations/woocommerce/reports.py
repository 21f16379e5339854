"""
What a store tells of itself to whoever examines it: WooCommerce's system status and our plugin's status.

Fields are read loosely: a store that leaves one out, or fills it oddly, must not stop the rest.
"""

import re
from typing import Any, TypeVar

import msgspec

from connector import decoding
from integrations.transport import Answer
from integrations.woocommerce.payloads import Text

# Asked for one by one: for the whole `environment` a store first calls two servers of others, and waits up to ten seconds for each.
_ENVIRONMENT = ("home_url", "site_url", "version", "wp_version", "php_version", "wp_cron")
SYSTEM_FIELDS = ",".join([*(f"environment.{name}" for name in _ENVIRONMENT), "settings", "active_plugins", "pages"])
CHECKOUT_BLOCK = "woocommerce/checkout"
_NUMBER = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?(?:\.(\d{1,4}))?")
_SHORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,39}")
T = TypeVar("T")


class Environment(msgspec.Struct, frozen=True):
    """Versions and addresses. `wp_cron` False: the site does not run its own timetable on visits."""

    home_url: Any = None
    site_url: Any = None
    version: Any = None
    wp_version: Any = None
    php_version: Any = None
    wp_cron: Any = None


class ActivePlugin(msgspec.Struct, frozen=True):
    """One plugin that is switched on: `folder/file.php`."""

    plugin: Any = None
    name: Any = None


class ShopPage(msgspec.Struct, frozen=True):
    """One of WooCommerce's pages; its name is translated, the block that belongs on it is not."""

    block: Any = None
    page_exists: Any = None
    block_present: Any = None
    shortcode_present: Any = None


class SystemReport(msgspec.Struct, frozen=True):
    """`wc/v3/system_status`, as far as it is asked for. Source: class-wc-rest-system-status-v2-controller.php of 10.5 and 11.0."""

    environment: Environment
    settings: Any = None
    active_plugins: Any = None
    pages: Any = None

    def plugins(self) -> frozenset[str] | None:
        """The folders of the plugins that are on; None if the store does not tell."""
        listed = _read(self.active_plugins, list[ActivePlugin])
        if listed is None:
            return None
        files = [one.plugin.strip().lower() for one in listed if isinstance(one.plugin, str)]
        return frozenset(file.partition("/")[0] for file in files if file)

    def is_hpos(self) -> bool | None:
        """Whether orders are kept in tables of their own; None if the store does not tell."""
        found = self.settings.get("HPOS_enabled") if isinstance(self.settings, dict) else None
        return found if isinstance(found, bool) else None

    def checkout(self) -> str:
        """What the checkout page is made of: block, classic, both, none, or "" if the store does not tell."""
        pages = _read(self.pages, list[ShopPage]) or []
        page = next((one for one in pages if one.block == CHECKOUT_BLOCK), None)
        if page is None:
            return ""
        kinds = (page.block_present is True, page.shortcode_present is True)
        return {(True, False): "block", (False, True): "classic", (True, True): "both"}.get(kinds, "none")


class PluginCron(msgspec.Struct, frozen=True):
    """The store's timetable: how long its oldest due task has been waiting."""

    disabled: Any = None
    oldest_due_seconds: Any = None


class PluginWebhook(msgspec.Struct, frozen=True):
    """The webhook that carries carts, as the plugin sees it."""

    status: Any = None
    failures: Any = None


class PluginReport(msgspec.Struct, frozen=True):
    """Our plugin's status route, `wc-connector/v1/status`."""

    plugin: str
    home: Text = None
    moved: Any = None
    hpos: Any = None
    checkout: Text = None
    clock: Text = None
    cron: Any = None
    capture: Text = None
    webhook: Any = None
    mailers: Any = None

    def timetable(self) -> PluginCron:
        """The store's timetable."""
        return _read(self.cron, PluginCron) or PluginCron()

    def cart_webhook(self) -> PluginWebhook:
        """The webhook that carries carts."""
        return _read(self.webhook, PluginWebhook) or PluginWebhook()

    def mailer_names(self) -> frozenset[str]:
        """Who else writes to those who left a cart."""
        return frozenset(one for one in _read(self.mailers, list[str]) or () if _SHORT.fullmatch(one))


def system_report(answer: Answer) -> SystemReport | None:
    """The system status in an answer; None for anything else."""
    return _decode(answer.body, SystemReport)


def plugin_report(answer: Answer) -> PluginReport | None:
    """The plugin's status in an answer; None for anything else."""
    return _decode(answer.body, PluginReport)


def version(value: Any) -> tuple[int, int, int] | None:
    """`10.5.0-beta.1` as (10, 5, 0); None for what is no version."""
    found = _NUMBER.match(value.strip()) if isinstance(value, str) else None
    return None if found is None else (int(found[1]), int(found[2] or 0), int(found[3] or 0))


def short(value: Any) -> str:
    """A version or another single word as it may be shown; "?" for anything else."""
    return value.strip() if isinstance(value, str) and _SHORT.fullmatch(value.strip()) else "?"


def _read(value: Any, shape: type[T]) -> T | None:
    try:
        return decoding.convert(value, shape)
    except msgspec.ValidationError:
        return None


def _decode(body: bytes, shape: type[T]) -> T | None:
    try:
        return decoding.decode(body, shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
