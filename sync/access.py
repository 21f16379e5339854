"""
Tokens: what is needed to call a shop, fresh enough to be used.

One refresh per shop at a time, whoever asks; the new pair is stored before anybody uses it. The lock is an advisory one: claims
of messages do not wait for a platform that answers slowly.
"""

import structlog

from connector.errors import NotFound
from connector.platforms import Access, AccessLost
from connector.store import shops
from connector.store.db import app_now
from connector.store.work import lock_access
from sync.services import Services

log = structlog.get_logger()


def open_access(services: Services, shop_id: int) -> Access:
    """
    The shop's address and living credentials.

    Raises: NotFound if the shop is not connected; AccessLost if somebody must sign in again (the shop is marked), TransientError
    if the platform did not answer.
    """
    try:
        with services.db.transaction(shop=shop_id) as session:
            lock_access(session, shop_id)
            shop = shops.get_shop(session, shop_id)
            if shop.state != "connected":
                raise NotFound(f"shop {shop.public_id} is {shop.state}")
            access = shops.open_access(services.vault, shop)
            fresh = services.platforms[shop.platform].refresh(access, app_now(session))
            if fresh is None:
                return access
            shops.replace_credentials(session, services.vault, shop_id, fresh)
    except AccessLost as error:
        report_loss(services, shop_id, error)
        raise
    log.info("access.refreshed", shop_id=shop_id)
    return Access(shop_id, access.domain, dict(fresh))


def report_loss(services: Services, shop_id: int, error: AccessLost) -> None:
    """The platform does not know us any more: mark the shop; webhooks are still kept and applied, nothing is sent."""
    log.warning("shop.access_lost", shop_id=shop_id, call=error.call, status=error.status)
    with services.db.transaction(shop=shop_id) as session:
        shops.mark_access_lost(session, services.vault, shop_id)
