"""GraphQL objects of the pretend Shopify: the shop, its products, and the parts that others share. Times in UTC, money as decimal text."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from graphql import GraphQLError

from integrations.sandbox.shopify_bodies import text
from integrations.sandbox.shopify_search import Json, Listing, page
from integrations.sandbox.shopify_shop import DOMAIN, SHOP_ID, Address, Product, Shop, Variant

FIRST_DAY = "2026-01-01T00:00:00Z"
T = TypeVar("T")


def gid(kind: str, number: int) -> str:
    """A global id."""
    return f"gid://shopify/{kind}/{number}"


def number_of(value: str, *kinds: str) -> int:
    """The number in a global id of one of these kinds; 0 for any other. Raises GraphQLError for a text that is no global id."""
    if not value.startswith("gid://shopify/"):
        raise GraphQLError(f"Invalid global id '{value}'", extensions={"code": "INVALID_VARIABLE"})
    kind, _, number = value.removeprefix("gid://shopify/").partition("?")[0].partition("/")
    return int(number) if kind in kinds and number.isdigit() else 0


def moment(at: datetime | None) -> str | None:
    """A time as GraphQL writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def amount(shop: Shop, value: Decimal) -> Json:
    """MoneyV2 in the shop's currency."""
    return {"amount": text(value), "currencyCode": shop.currency}


def money_bag(shop: Shop, value: Decimal) -> Json:
    """The same amount for the shop and for the buyer: all buy in the shop's currency."""
    return {"shopMoney": amount(shop, value), "presentmentMoney": amount(shop, value)}


def paged(info: Any, records: Sequence[T], listing: Listing[T], asked: Mapping[str, Any], to_object: Callable[[T], Json]) -> Json:
    """A connection as the running query wants it: a page, or all of it in a bulk query."""
    return page(records, listing, asked, to_object, is_whole=info.context.is_whole, reach=info.context.shop.search_reach)


def shop_object(shop: Shop) -> Json:
    """The shop with its address and plan."""
    address = {
        "id": gid("ShopAddress", SHOP_ID),
        "address1": "12 Harbour Street",
        "address2": None,
        "city": "Portland",
        "zip": "04101",
        "province": "Maine",
        "provinceCode": "ME",
        "country": "United States",
        "countryCodeV2": "US",
        "company": shop.name,
        "phone": None,
        "latitude": 43.66,
        "longitude": -70.25,
        "coordinatesValidated": True,
        "formatted": ["12 Harbour Street", "Portland ME 04101", "United States"],
        "formattedArea": "Portland ME, United States",
    }
    return {
        "id": gid("Shop", SHOP_ID),
        "name": shop.name,
        "email": shop.email,
        "contactEmail": shop.contact_email,
        "myshopifyDomain": DOMAIN,
        "url": f"https://{DOMAIN}",
        "primaryDomain": {"id": gid("Domain", 1), "url": f"https://{DOMAIN}", "host": DOMAIN, "sslEnabled": True},
        "currencyCode": shop.currency,
        "enabledPresentmentCurrencies": [shop.currency],
        "ianaTimezone": shop.timezone,
        "timezoneAbbreviation": "EST",
        "timezoneOffset": "-0500",
        "timezoneOffsetMinutes": -300,
        "shopAddress": address,
        "shopOwnerName": "Harriet Pine",
        "taxesIncluded": False,
        "taxShipping": False,
        "setupRequired": False,
        "createdAt": FIRST_DAY,
        "updatedAt": FIRST_DAY,
        "plan": {"publicDisplayName": "Basic", "partnerDevelopment": True, "shopifyPlus": False},
    }


def address_object(shop: Shop, address: Address | None, key: object) -> Json | None:
    """A postal address; `key` makes its id."""
    if address is None:
        return None
    lines = [address.address1, f"{address.city} {address.province_code} {address.zip}", address.country]
    hidden = "address" in shop.withheld
    return {
        "id": gid("MailingAddress", abs(hash(key)) % 10**12) + "?model_name=CustomerAddress",
        "firstName": address.first_name,
        "lastName": address.last_name,
        "name": " ".join(part for part in (address.first_name, address.last_name) if part) or None,
        "company": address.company,
        "address1": address.address1,
        "address2": None,
        "city": address.city,
        "zip": address.zip,
        "province": address.province,
        "provinceCode": address.province_code,
        "country": address.country,
        "countryCodeV2": address.country_code,
        "phone": address.phone,
        "latitude": None,
        "longitude": None,
        "coordinatesValidated": False,
        "formatted": [address.country] if hidden else lines,
        "formattedArea": address.country if hidden else f"{address.city} {address.province_code}, {address.country}",
    }


def image_object(product: Product) -> Json:
    """The product's picture."""
    return {"id": gid("ProductImage", product.id), "url": product.image_url, "width": 240, "height": 240, "altText": product.title}


def product_object(shop: Shop, product: Product) -> Json:
    """A product."""
    prices = [variant.price for variant in product.variants]
    url = f"https://{DOMAIN}/products/{product.handle}"
    return {
        "__typename": "Product",
        "id": gid("Product", product.id),
        "legacyResourceId": str(product.id),
        "defaultCursor": str(product.id),
        "title": product.title,
        "handle": product.handle,
        "status": "ACTIVE",
        "vendor": shop.name,
        "productType": product.kind,
        "category": _category(product),
        "tags": [],
        "templateSuffix": None,
        "description": lambda info, truncateAt=None: _shortened(product.description, truncateAt),  # noqa: N803 - Shopify's argument
        "descriptionHtml": f"<p>{product.description}</p>",
        "onlineStoreUrl": url if product.is_published else None,
        "onlineStorePreviewUrl": url,
        "featuredMedia": _media(product),
        "media": lambda info, **asked: paged(info, [product], _MEDIA, asked, _media),
        "createdAt": moment(product.created_at),
        "publishedAt": moment(product.created_at) if product.is_published else None,
        "updatedAt": moment(product.updated_at),
        "isGiftCard": False,
        "hasOnlyDefaultVariant": len(product.variants) == 1 and product.variants[0].title == "Default Title",
        "hasOutOfStockVariants": any(variant.stock <= 0 for variant in product.variants),
        "requiresSellingPlan": False,
        "totalInventory": sum(variant.stock for variant in product.variants),
        "tracksInventory": True,
        "priceRangeV2": {"minVariantPrice": amount(shop, min(prices)), "maxVariantPrice": amount(shop, max(prices))},
        "variants": lambda info, **asked: paged(
            info, product.variants, _variants(product), asked, lambda one: variant_object(shop, product, one)
        ),
        "variantsCount": {"count": len(product.variants), "precision": "EXACT"},
    }


def variant_object(shop: Shop, product: Product, variant: Variant) -> Json:
    """A variant; its price is plain text in the shop's currency."""
    return {
        "__typename": "ProductVariant",
        "id": gid("ProductVariant", variant.id),
        "legacyResourceId": str(variant.id),
        "defaultCursor": str(variant.id),
        "title": variant.title,
        "displayName": f"{product.title} - {variant.title}",
        "sku": variant.sku,
        "barcode": None,
        "price": text(variant.price),
        "compareAtPrice": None,
        "availableForSale": product.is_published and variant.is_available,
        "inventoryPolicy": "CONTINUE" if variant.sells_when_empty else "DENY",
        "inventoryQuantity": variant.stock,
        "sellableOnlineQuantity": max(variant.stock, 0),
        "inventoryItem": lambda info: inventory_object(shop, product, variant),
        "media": lambda info, **asked: paged(info, [product], _MEDIA, asked, _media),
        "position": product.variants.index(variant) + 1 if variant in product.variants else 1,
        "product": lambda info: product_object(shop, product),
        "selectedOptions": [{"name": "Title", "value": variant.title}],
        "taxable": True,
        "createdAt": moment(product.created_at),
        "updatedAt": moment(product.updated_at),
    }


def inventory_object(shop: Shop, product: Product, variant: Variant) -> Json:
    """What a variant's stock is counted under."""
    return {
        "__typename": "InventoryItem",
        "id": gid("InventoryItem", variant.inventory_item_id),
        "legacyResourceId": str(variant.inventory_item_id),
        "sku": variant.sku,
        "tracked": True,
        "requiresShipping": True,
        "createdAt": moment(product.created_at),
        "updatedAt": moment(product.updated_at),
        "variants": lambda info, **asked: paged(info, [variant], _variants(product), asked, lambda one: variant_object(shop, product, one)),
    }


def _variants(product: Product) -> Listing[Variant]:
    places = {variant.id: place for place, variant in enumerate(product.variants)}
    return Listing({}, {"POSITION": lambda one: places.get(one.id, 0)}, lambda one: one.id)


_MEDIA: Listing[Any] = Listing({}, {}, lambda product: product.id)


def _media(product: Product) -> Json:
    image = image_object(product)
    return {
        "__typename": "MediaImage",
        "id": gid("MediaImage", product.id),
        "alt": product.title,
        "mediaContentType": "IMAGE",
        "status": "READY",
        "preview": {"image": image, "status": "READY"},
        "image": image,
        "createdAt": moment(product.created_at),
        "updatedAt": moment(product.updated_at),
    }


def _category(product: Product) -> Json:
    return {
        "id": "gid://shopify/TaxonomyCategory/hg-3",
        "name": product.kind,
        "fullName": f"Home & Garden > {product.kind}",
        "isArchived": False,
        "isLeaf": True,
        "isRoot": False,
        "level": 2,
    }


def _shortened(value: str, limit: int | None) -> str:
    return value if limit is None or len(value) <= limit else value[: max(limit - 3, 0)] + "..."
