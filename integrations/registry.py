"""The one list: platform names -> Platforms, and the Senders. Nothing else imports an adapter, but for `reader`: their reading alone."""

from collections.abc import Mapping

from connector.budget import Budget
from connector.config import Settings
from connector.messages.envelope import Sender
from connector.metrics import Metrics
from connector.platforms import Platform
from integrations.mail.smtp import SmtpSender
from integrations.shopify.adapter import ShopifyPlatform
from integrations.shopify.budget import ASSUMED_MAXIMUM, ASSUMED_PER_SECOND, LocalBudget
from integrations.transport import Transport
from integrations.woocommerce.adapter import WooCommercePlatform
from integrations.woocommerce.companion import CompanionPlugin
from integrations.woocommerce.companion import companion_plugin as pack_plugin

ASSUMED_BUCKET = (ASSUMED_MAXIMUM, ASSUMED_PER_SECOND)
"""What a shop that was never called is taken to allow: points at most, points per second."""


def make_transport(settings: Settings, metrics: Metrics | None = None) -> Transport:
    """The process's one HTTP client, which counts its calls. In sandbox mode named hosts lead to loopback, and no others exist."""
    return Transport(settings.address_map, settings.extra_ca, is_closed_world=settings.sandbox, metrics=metrics)


def make_budget() -> Budget:
    """What shops still take from us, known to this process alone."""
    return LocalBudget()


def make_platforms(settings: Settings, transport: Transport, budget: Budget | None = None) -> Mapping[str, Platform]:
    """Every platform, by name, on one pooled transport and one budget of calls; without one, a budget of this process."""
    shopify, woocommerce = ShopifyPlatform(transport, settings, budget), WooCommercePlatform(transport, settings)
    return {shopify.name: shopify, woocommerce.name: woocommerce}


def make_mail_sender(settings: Settings) -> Sender | None:
    """The mail Sender, or None if SMTP_URL is not set."""
    return None if settings.smtp_url is None else SmtpSender(settings.smtp_url.get_secret_value())


def companion_plugin() -> CompanionPlugin:
    """Our plugin for WooCommerce stores, to be uploaded to WordPress. Raises ConfigError if it is not part of this installation."""
    return pack_plugin()
