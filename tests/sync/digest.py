"""Everything canonical that a shop's rows say, without what is only ours: keys, public ids."""

from collections.abc import Mapping

from sqlalchemy import text

from connector.store.db import Database

_OURS = "- '{id,public_id,shop_id,account_id,contact_id,company_id,checkout_id,order_id,converted_order_id}'::text[]"
_DIGEST = text(f"""
    select 'checkouts' as what, (to_jsonb(c) {_OURS} || jsonb_build_object('converted_by_order', o.platform_id))::text as row
      from checkouts c left join orders o on o.id = c.converted_order_id where c.shop_id = :shop
    union all select 'checkout_lines', (to_jsonb(l) {_OURS} || jsonb_build_object('of', c.stage || c.platform_id))::text
      from checkout_lines l join checkouts c on c.id = l.checkout_id where l.shop_id = :shop
    union all select 'checkout_versions', (to_jsonb(v) {_OURS} || jsonb_build_object('of', c.stage || c.platform_id))::text
      from checkout_versions v join checkouts c on c.id = v.checkout_id where v.shop_id = :shop
    union all select 'orders', (to_jsonb(o) {_OURS})::text from orders o where o.shop_id = :shop
    union all select 'order_lines', (to_jsonb(l) {_OURS} || jsonb_build_object('of', o.platform_id))::text
      from order_lines l join orders o on o.id = l.order_id where l.shop_id = :shop
    union all select 'customers', (to_jsonb(c) {_OURS} || jsonb_build_object('contact', k.email))::text
      from customers c left join contacts k on k.id = c.contact_id where c.shop_id = :shop
    union all select 'contacts', (to_jsonb(k) {_OURS} || jsonb_build_object('linked_company', y.name))::text
      from contacts k join shops s on s.account_id = k.account_id left join companies y on y.id = k.company_id where s.id = :shop
    union all select 'consents', (to_jsonb(c) {_OURS})::text from consents c where c.shop_id = :shop
    union all select 'customer_merges', (to_jsonb(m) {_OURS})::text from customer_merges m where m.shop_id = :shop
    union all select 'products', (to_jsonb(p) {_OURS} - 'read_at')::text from products p where p.shop_id = :shop
    union all select 'codes', d.code || coalesce(nullif(d.deleted_at is null, true)::text, '') from discount_codes d where d.shop_id = :shop
    union all select 'removals', (to_jsonb(r) {_OURS})::text from removals r where r.shop_id = :shop
    order by 1, 2
""")
_VERSIONS = text("""
    select 'checkout' || stage || platform_id, source_version from checkouts where shop_id = :shop
    union all select 'order' || platform_id, source_version from orders where shop_id = :shop
    union all select 'customer' || platform_id, source_version from customers where shop_id = :shop
""")


def digest(db: Database, shop_id: int) -> list[tuple[str, str]]:
    """(table, row) of all canonical rows of a shop, in a stable order."""
    with db.engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(_DIGEST, {"shop": shop_id})]


def versions(db: Database, shop_id: int) -> Mapping[str, object]:
    """`source_version` of every record of a shop."""
    with db.engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(_VERSIONS, {"shop": shop_id})}
