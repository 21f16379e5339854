"""Have a shop's webhooks registered, and write down how it went."""

import structlog

from connector.platforms import Access, PlatformError, Subscriptions
from connector.store import installs, shops
from connector.store.audit import Actor
from connector.web.composition import Composition
from sync import listening
from sync.access import call_shop, registering

log = structlog.get_logger()


def subscribe(parts: Composition, shop_id: int, actor: Actor) -> bool:
    """
    Register what is missing; true if all is there now. A failure leaves its reason with the shop and is no error here.

    Where the app's configuration subscribes every shop, only what an earlier install left behind is put right. Raises NotFound if
    the shop holds no credentials.
    """
    with parts.db.transaction(shop=shop_id) as session:
        shop = shops.get_shop(session, shop_id)
    platform = parts.services.platforms[shop.platform]
    if not platform.can.registers_webhooks:
        return not platform.can.fallback_mark or _put_right(parts, shop_id, actor)
    assert shop.webhook_secret is not None
    address, secret = webhook_address(parts, shop.platform, shop.shop_key), parts.services.vault.open(shop.webhook_secret)["secret"]
    error: PlatformError | None = None

    def register(access: Access) -> Subscriptions:
        return platform.subscribe(access, address, secret)

    try:
        with registering(parts.services, shop.platform, shop_id):
            if shop.state == "connected":
                made = call_shop(parts.services, shop_id, register)
            else:
                # Whoever asks for it may know that the keys are good again.
                made = register(shops.open_access(parts.services.vault, shop))
        words = f"{len(made.present)} were there, {len(made.created)} were made."
    except PlatformError as caught:
        error, words = caught, str(caught)
        log.warning("webhooks.failed", shop_id=shop_id, platform=shop.platform, status=caught.status)
    with parts.db.transaction(shop=shop_id) as session:
        installs.note_webhooks(session, shop, actor=actor, is_ready=error is None, words=words[:500])
    return error is None


def _put_right(parts: Composition, shop_id: int, actor: Actor) -> bool:
    try:
        return not listening.subscribe_shop(parts.services, shop_id, actor).refused
    except PlatformError as error:
        # The scheduler will try again.
        log.warning("webhooks.not_looked_at", shop_id=shop_id, call=error.call, status=error.status)
        return False


def webhook_address(parts: Composition, platform: str, shop_key: str) -> str:
    """Where a platform, or one shop of it, sends its webhooks."""
    return listening.webhook_address(parts.services, platform, shop_key)
