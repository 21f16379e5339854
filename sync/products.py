"""Read the products that lines refer to and that we do not know yet: their pictures, descriptions and categories."""

import structlog

from connector.errors import NotFound
from connector.platforms import AccessLost, PlatformError, TransientError
from connector.store import records, shops
from connector.store.db import app_now
from sync.access import open_access, report_loss
from sync.services import Services

BATCH = 50

log = structlog.get_logger()


def read_missing(services: Services, shop_id: int) -> int:
    """
    Read up to 50 unknown products of a shop from its platform and keep them; returns how many were read.

    A platform that does not answer now is asked again by the next sweep; the reminder then goes out with what the checkout
    itself told.
    """
    with services.db.transaction(shop=shop_id) as session:
        shop = shops.get_shop(session, shop_id)
        missing = records.unknown_product_ids(session, shop_id, BATCH)
        if not missing or shop.state != "connected":
            return 0
    platform = services.platforms[shop.platform]
    try:
        access = open_access(services, shop_id)
    except (NotFound, PlatformError) as error:
        log.info("products.no_access", shop_id=shop_id, error=type(error).__name__)
        return 0
    try:
        products = platform.read_products(access, missing)
    except TransientError as error:
        log.info("products.later", shop_id=shop_id, call=error.call, status=error.status)
        return 0
    except AccessLost as error:
        report_loss(services, shop_id, error)
        return 0
    except PlatformError as error:
        log.warning("products.not_read", shop_id=shop_id, call=error.call, status=error.status, error=type(error).__name__)
        return 0
    with services.db.transaction(shop=shop_id) as session:
        records.save_products(session, shop_id, products, app_now(session))
    return len(products)
