"""Products, read when a line refers to them: their rows, which ones are missing, and which ones something changed of."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from connector.canonical import Checkout, Product
from connector.store.db import Session, run
from connector.store.ids import public_id
from connector.store.upserts import as_json, replace_children


def save_products(session: Session, shop_id: int, products: Sequence[Product], read_at: datetime) -> None:
    """
    Write products as just read from the store, with their variants; an older reading never replaces a newer one.

    A product that was said to be deleted since it was read stays deleted.
    """
    if not products:
        return
    rows = [_product_row(shop_id, p, read_at) for p in {p.platform_id: p for p in products}.values()]
    columns = list(rows[0])
    sets = ", ".join(f"{c} = excluded.{c}" for c in columns if c not in ("shop_id", "platform_id", "public_id"))
    statement = f"""
        insert into products ({", ".join(columns)})
        select {", ".join(_READ_DELETED if c == "is_deleted" else f"r.{c}" for c in columns)}
        from json_populate_recordset(null::products, cast(:rows as json)) r
        on conflict (shop_id, platform_id) do update set {sets}
        where excluded.source_version >= products.source_version or excluded.is_deleted returning id, is_deleted
    """
    from_json = {"rows": as_json(rows)}
    living = {row.id for row in session.execute(text(statement), from_json) if not row.is_deleted}
    ids = _product_ids(session, shop_id, [p.platform_id for p in products])
    kept = {ids[p.platform_id]: p for p in products if ids[p.platform_id] in living}
    replace_children(
        session, "product_variants", "product_id", list(kept), [v for i, p in kept.items() for v in _variant_rows(shop_id, i, p)]
    )


def names_unknown_products(session: Session, shop_id: int, checkouts: Iterable[Checkout]) -> bool:
    """Whether a line of these checkouts refers to a product that was never read. Looks at products only, however many lines there are."""
    named = {line.product_id for checkout in checkouts for line in checkout.lines if line.product_id is not None}
    statement = """
        select exists (select 1 from json_array_elements_text(cast(%(ids)s as json)) as named (id)
            where (select p.id from products p where p.shop_id = %(shop)s and p.platform_id = named.id limit 1) is null)
    """
    return bool(named) and bool(run(session, statement, {"shop": shop_id, "ids": as_json(sorted(named))})[0][0])


def unknown_product_ids(session: Session, shop_id: int, limit: int) -> list[str]:
    """Products that lines of open checkouts refer to and that were never read."""
    statement = text("""
        select distinct l.product_id from checkout_lines l
        join checkouts c on c.id = l.checkout_id and c.shop_id = :shop and c.converted_at is null and c.completed_at is null
        where l.product_id is not null
          and not exists (select 1 from products p where p.shop_id = :shop and p.platform_id = l.product_id)
        order by l.product_id limit :limit
    """)
    return list(session.execute(statement, {"shop": shop_id, "limit": limit}).scalars())


def shops_with_unknown_products(session: Session, limit: int) -> list[int]:
    """Connected shops with open checkouts whose lines name products that were never read."""
    statement = text("""
        select distinct c.shop_id from checkouts c join shops s on s.id = c.shop_id and s.state = 'connected'
        join checkout_lines l on l.checkout_id = c.id and l.product_id is not null
        where c.converted_at is null and c.completed_at is null and c.last_activity_at > app_now() - interval '3 days'
          and not exists (select 1 from products p where p.shop_id = c.shop_id and p.platform_id = l.product_id)
        limit :limit
    """)
    return list(session.execute(statement, {"limit": limit}).scalars())


def kept_among(session: Session, shop_id: int, platform_ids: Collection[str]) -> list[str]:
    """Those of these products that we keep and that are not deleted: of the others no line was ever seen."""
    statement = "select platform_id from products where shop_id = %(shop)s and platform_id = any(%(ids)s) and not is_deleted"
    return [row[0] for row in run(session, statement, {"shop": shop_id, "ids": sorted(platform_ids)})] if platform_ids else []


def kept_with_stock(session: Session, shop_id: int, inventory_item_ids: Collection[str]) -> list[str]:
    """The kept products whose variants' stock is counted under one of these."""
    statement = """
        select distinct p.platform_id from product_variants v join products p on p.id = v.product_id and not p.is_deleted
        where v.shop_id = %(shop)s and v.inventory_item_id = any(%(items)s)
    """
    return [row[0] for row in run(session, statement, {"shop": shop_id, "items": sorted(inventory_item_ids)})] if inventory_item_ids else []


def mark_deleted(session: Session, shop_id: int, platform_ids: Collection[str]) -> None:
    """The store said that these products are gone."""
    statement = "update products set is_deleted = true where shop_id = %(shop)s and platform_id = any(%(ids)s) and not is_deleted"
    if platform_ids:
        run(session, statement, {"shop": shop_id, "ids": sorted(platform_ids)})


def _product_ids(session: Session, shop_id: int, platform_ids: Sequence[str]) -> dict[str, int]:
    statement = text("select platform_id, id from products where shop_id = :shop and platform_id = any(:ids)")
    return {row[0]: row[1] for row in session.execute(statement, {"shop": shop_id, "ids": list(platform_ids)})}


def _product_row(shop_id: int, product: Product, read_at: datetime) -> dict[str, Any]:
    return {
        "public_id": public_id("prd"),
        "shop_id": shop_id,
        "platform_id": product.platform_id,
        "title": product.title,
        "category": product.category,
        "categories": product.categories,
        "description": product.description,
        "image_url": product.image_url,
        "url": product.url,
        "is_deleted": product.is_deleted,
        "read_at": read_at,
        "source_version": product.source_version,
    }


def _variant_rows(shop_id: int, product_id: int, product: Product) -> list[dict[str, Any]]:
    return [
        {
            "shop_id": shop_id,
            "product_id": product_id,
            "platform_id": variant.platform_id,
            "title": variant.title,
            "sku": variant.sku,
            "price": variant.price,
            "image_url": variant.image_url,
            "is_available": variant.is_available,
            "inventory_item_id": variant.inventory_item_id,
        }
        for variant in product.variants
    ]


# What says when a product was changed last may be older than the word that it is gone.
_READ_DELETED = """
    r.is_deleted or exists (
        select 1 from removals g where g.shop_id = r.shop_id and g.resource = 'product' and g.ref = 'id:' || r.platform_id
            and g.at >= r.source_version
    )
"""
