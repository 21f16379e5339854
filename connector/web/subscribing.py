"""Have a shop's webhooks registered, and write down how it went."""

import structlog

from connector.platforms import AccessLost, PlatformError
from connector.store import installs, shops
from connector.store.audit import Actor
from connector.web.composition import Composition

log = structlog.get_logger()


def subscribe(parts: Composition, shop_id: int, actor: Actor) -> bool:
    """
    Register what is missing; true if all is there now. A failure leaves its reason with the shop and is no error here.

    Platforms whose app configuration subscribes every shop are left alone. Raises NotFound if the shop holds no credentials.
    """
    with parts.db.transaction(shop=shop_id) as session:
        shop = shops.get_shop(session, shop_id)
        access, sealed = shops.open_access(parts.services.vault, shop), shop.webhook_secret
    platform = parts.services.platforms[shop.platform]
    if not platform.can.registers_webhooks:
        return True
    assert sealed is not None
    address = webhook_address(parts, shop.platform, shop.shop_key)
    error: PlatformError | None = None
    words = ""
    try:
        made = platform.subscribe(access, address, parts.services.vault.open(sealed)["secret"])
        words = f"{len(made.present)} were there, {len(made.created)} were made."
    except PlatformError as caught:
        error, words = caught, str(caught)
        log.warning("webhooks.failed", shop_id=shop_id, platform=shop.platform, status=caught.status)
    with parts.db.transaction(shop=shop_id) as session:
        installs.note_webhooks(session, shop, actor=actor, is_ready=error is None, words=words[:500])
        if isinstance(error, AccessLost):
            shops.mark_access_lost(session, parts.services.vault, shop_id)
    return error is None


def webhook_address(parts: Composition, platform: str, shop_key: str) -> str:
    """Where a platform, or one shop of it, sends its webhooks."""
    base = f"{parts.settings.public_url.rstrip('/')}/webhooks/{platform}"
    return f"{base}/{shop_key}" if parts.services.platforms[platform].can.shop_in_path else base
