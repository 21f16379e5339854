"""The connection doctor: every check of the connection to one store, in the order in which a merchant should mend them."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import structlog

from connector import clock
from connector.checkups import Check, Verdict
from connector.config import Settings
from connector.platforms import Access, PlatformError
from integrations.transport import Answer, Transport
from integrations.woocommerce import client, companion, findings, obstacles, subscriptions
from integrations.woocommerce.calling import HEADER, Call, ask
from integrations.woocommerce.payloads import WebhookBody
from integrations.woocommerce.reports import SYSTEM_FIELDS, PluginReport, SystemReport, plugin_report, system_report, version

PATIENCE_SECONDS = 25.0
"""After so long nothing more is asked; what was not asked is not known."""
CORE_MAIL = "email_customer_abandoned_cart_recovery"
FIRST_WITH_CORE_MAIL = 11
ORDER = (
    *("address", "permalinks", "keys", "rights", "firewall", "clock", "woocommerce_version", "wordpress_version", "php_version"),
    *("cron", "webhooks", "plugin", "checkout_page", "order_storage", "mailers", "hidden_email"),
)
T = TypeVar("T")
log = structlog.get_logger()


class WooCheckup:
    """Examines stores. Thread-safe."""

    def __init__(self, transport: Transport, settings: Settings) -> None:
        self._transport = transport
        self._settings = settings

    def examine(self, access: Access, address: str) -> Sequence[Check]:
        """
        Ask the store for its system status, a write that changes nothing, its webhooks and our plugin's status; say what it means.

        `address`: where its webhooks must go. Nothing is raised; a store that cannot be asked gives the reason and UNKNOWN for the rest.
        """
        call = Call(self._transport, access)
        until = time.monotonic() + PATIENCE_SECONDS
        try:
            answer = ask(call, "system_status", "GET", "wc/v3/system_status", params={"_fields": SYSTEM_FIELDS})
        except PlatformError as error:
            return _stopped_by(obstacles.no_answer(error))
        system = system_report(answer) if answer.status == 200 else None
        if system is None:
            return _stopped_by(obstacles.obstacle(call, answer))
        asked = _Asked(call, until)
        return self._checks(asked, system, answer, address)

    def _checks(self, asked: "_Asked", system: SystemReport, answer: Answer, address: str) -> list[Check]:
        access, plugins = asked.call.access, system.plugins()
        plugin = asked.plugin()
        listed = asked.webhooks()
        is_plain = access.credentials.get("scheme") == "http"
        told = findings.plugin_clock(plugin) or self._answered_at(answer)
        return [
            findings.address(access.domain, system.environment.home_url, is_plain=is_plain),
            Check("permalinks", Verdict.GOOD),
            findings.keys(access.credentials.get("auth", HEADER)),
            asked.rights(),
            findings.firewall(plugins),
            findings.clock(told, clock.now()),
            *findings.versions(system),
            findings.cron(system, plugin),
            findings.webhooks(listed, tuple(subscriptions.TOPICS), address, plugin),
            *findings.companion(system, plugin, companion.own_version()),
            findings.checkout_page(system, plugin),
            findings.order_storage(system, plugin),
            findings.mailers(system, plugin, is_core_on=plugin is None and asked.is_core_mail_on(system)),
            findings.hidden_email(plugins),
        ]

    def _answered_at(self, answer: Answer) -> datetime | None:
        """By the Date header; pretend stores live on a clock of their own, and their web server does not."""
        if self._settings.sandbox:
            return None
        try:
            told = parsedate_to_datetime(answer.headers.get("date", ""))
        except (ValueError, OverflowError):
            return None
        return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)


class _Asked:
    """The further questions to one store; each answers None, or an unknown, if it goes wrong or if the time is over."""

    def __init__(self, call: Call, until: float) -> None:
        self.call = call
        self._until = until

    def plugin(self) -> PluginReport | None:
        """What our plugin says; None without it."""
        answer = self._try(lambda: ask(self.call, "plugin_status", "GET", "wc-connector/v1/status"))
        return plugin_report(answer) if answer is not None and answer.status == 200 else None

    def webhooks(self) -> list[WebhookBody] | None:
        """Every webhook of the store."""
        return self._try(lambda: client.list_webhooks(self.call))

    def rights(self) -> Check:
        """Whether we may write, by a batch of nothing. That we may read and the keys' owner manages the shop was seen before."""
        nothing: dict[str, Any] = {"create": []}
        answer = self._try(lambda: ask(self.call, "write_nothing", "POST", "wc/v3/coupons/batch", json=nothing))
        if answer is None:
            return Check(obstacles.RIGHTS, Verdict.UNKNOWN)
        return obstacles.write_obstacle(answer) or Check(obstacles.RIGHTS, Verdict.GOOD)

    def is_core_mail_on(self, system: SystemReport) -> bool:
        """Whether WooCommerce itself writes to those who left an order unpaid; a setting that exists where the feature is on."""
        if (version(system.environment.version) or (0, 0, 0))[0] < FIRST_WITH_CORE_MAIL:
            return False
        found = self._try(lambda: client.read_settings(self.call, CORE_MAIL)) or {}
        return found.get("enabled") == "yes" and found.get("automated") == "yes"

    def _try(self, question: Callable[[], T]) -> T | None:
        if time.monotonic() > self._until:
            return None
        try:
            return question()
        except PlatformError as error:
            log.info("checkup.not_told", call=error.call, status=error.status, error=type(error).__name__)
            return None


def _stopped_by(found: Check) -> list[Check]:
    """What comes before the obstacle in the way to a store was passed; what lies behind it is not known."""
    before = ORDER.index(found.code)
    passed = [Check(code, Verdict.GOOD) for code in ORDER[:before]]
    return [*passed, found, *(Check(code, Verdict.UNKNOWN, cause="not_reached") for code in ORDER[before + 1 :])]
