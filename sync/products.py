"""Read the products that lines refer to and that we do not know yet: their pictures, descriptions and categories."""

import structlog

from connector.errors import NotFound
from connector.platforms import AccessLost, PlatformError, ThrottledError, TransientError
from connector.store import products, shops
from connector.store.db import Wake, app_now
from sync.access import call_shop
from sync.jobs import Job
from sync.services import Services

BATCH = 50

log = structlog.get_logger()


def read_missing(services: Services, shop_id: int) -> int:
    """
    Read up to 50 unknown products of a shop from its platform and keep them; returns how many were read.

    A platform that asks us to wait is asked again as soon as that is over, one that does not answer now by the next sweep; a
    reminder that is due before goes out with what the checkout itself told.
    """
    wake = Wake(Job.PRODUCTS.value, shop_id)
    if services.pauses.is_paused(wake):
        return 0
    with services.db.transaction(shop=shop_id) as session:
        shop = shops.get_shop(session, shop_id)
        missing = products.unknown_product_ids(session, shop_id, BATCH)
        if not missing or shop.state != "connected":
            return 0
    platform = services.platforms[shop.platform]
    try:
        found = call_shop(services, shop_id, lambda access: platform.read_products(access, missing))
    except ThrottledError as error:
        return _pause(services, wake, error)
    except (NotFound, TransientError, AccessLost) as error:
        log.info("products.later", shop_id=shop_id, error=type(error).__name__)
        return 0
    except PlatformError as error:
        log.warning("products.not_read", shop_id=shop_id, call=error.call, status=error.status, error=type(error).__name__)
        return 0
    with services.db.transaction(shop=shop_id) as session:
        products.save_products(session, shop_id, found, app_now(session))
    return len(found)


def _pause(services: Services, wake: Wake, error: ThrottledError) -> int:
    log.info("products.throttled", shop_id=wake.shop_id, call=error.call, seconds=error.retry_after)
    services.pauses.pause(wake, error.retry_after)
    return 0
