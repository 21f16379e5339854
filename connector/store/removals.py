"""What the store said is gone. Removals are kept, so that a late delivery of the record changes nothing."""

from collections.abc import Iterable, Sequence

from sqlalchemy import text

from connector.canonical import Checkout, Customer, Order, Removed, Resource
from connector.store.db import Session, run
from connector.store.upserts import as_array, as_json

_RESOURCES: dict[type, Resource] = {Checkout: Resource.CHECKOUT, Order: Resource.ORDER, Customer: Resource.CUSTOMER}
_TABLES = {Resource.CHECKOUT: "checkouts", Resource.ORDER: "orders", Resource.CUSTOMER: "customers"}


def save_removals(session: Session, shop_id: int, removals: Sequence[Removed]) -> None:
    """Remember removals; the latest instant counts."""
    newest: dict[tuple[str, str], dict[str, object]] = {}
    for removal in sorted(removals, key=lambda r: r.at):
        ref = f"id:{removal.platform_id}" if removal.platform_id is not None else f"cart:{removal.cart_token}"
        newest[removal.resource.value, ref] = {"shop_id": shop_id, "resource": removal.resource, "ref": ref, "at": removal.at}
    if newest:
        session.execute(
            text("""
                insert into removals (shop_id, resource, ref, at)
                select shop_id, resource, ref, at from json_populate_recordset(null::removals, cast(:rows as json))
                on conflict (shop_id, resource, ref) do update set at = greatest(removals.at, excluded.at)
            """),
            {"rows": as_json(list(newest.values()))},
        )


def speaks_of(session: Session, shop_id: int, records: Iterable[Checkout | Order | Customer]) -> bool:
    """Whether a removal is kept that may concern one of these records."""
    refs = {ref for record in records for ref in _refs(record)}
    if not refs:
        return False
    rows = [{"resource": resource, "ref": ref} for resource, ref in refs]
    return bool(run(session, _SPEAKS_OF, {"shop": shop_id, "rows": as_json(rows)})[0][0])


def _refs(record: Checkout | Order | Customer) -> list[tuple[str, str]]:
    resource = _RESOURCES[type(record)].value
    refs = [(resource, f"id:{record.platform_id}")]
    if not isinstance(record, Customer) and record.customer_id is not None:  # merged into another one, perhaps
        refs.append((Resource.CUSTOMER.value, f"id:{record.customer_id}"))
    if isinstance(record, Checkout) and record.cart_token is not None:
        refs.append((resource, f"cart:{record.cart_token}"))
    return refs


def settle_removals(session: Session, shop_id: int, refs: Sequence[Removed], ids: dict[Resource, list[int]]) -> list[int]:
    """
    Set or clear `deleted_at` of the records named by `refs` or by row `ids`; return the checkouts whose mark changed.

    A record changed after its removal was restored: the mark holds only while no newer version exists.
    """
    changed: list[int] = []
    for resource, table in _TABLES.items():
        named = [r for r in refs if r.resource is resource]
        if not named and not ids.get(resource):
            continue
        is_checkout = resource is Resource.CHECKOUT
        named_by_cart = "or t.cart_token = any(:carts)" if is_checkout else ""
        by_cart = "'cart:' || t.cart_token" if is_checkout else "null"
        statement = text(f"""
            with said as (
                select t.id, greatest(i.at, k.at) at from {table} t
                left join removals i on i.shop_id = :shop and i.resource = :resource and i.ref = 'id:' || t.platform_id
                    and i.at >= t.source_version
                left join removals k on k.shop_id = :shop and k.resource = :resource and k.ref = {by_cart}
                    and k.at >= t.source_version
                where t.shop_id = :shop and (t.id = any(cast(:ids as bigint[])) or t.platform_id = any(:platform_ids) {named_by_cart})
            )
            update {table} t set deleted_at = said.at from said
            where t.id = said.id and t.deleted_at is distinct from said.at returning t.id
        """)
        values = {
            "shop": shop_id,
            "resource": resource.value,
            "ids": as_array(ids.get(resource, [])),
            "platform_ids": [r.platform_id for r in named if r.platform_id is not None],
            "carts": [r.cart_token for r in named if r.cart_token is not None],
        }
        touched = list(session.execute(statement, values).scalars())
        if is_checkout:
            changed = touched
    return changed


# Most shops have few removals or none: of a shop that has none nothing is looked up. Its first one by the index, whatever is believed of
# the table (an `exists` would drop the order, and might read the whole table).
_SPEAKS_OF = """
    select (select true from removals where shop_id = %(shop)s order by shop_id, resource, ref limit 1) is true and exists (
        select 1 from json_to_recordset(cast(%(rows)s as json)) k (resource text, ref text)
        cross join lateral (select 1 from removals r where r.shop_id = %(shop)s and r.resource = k.resource and r.ref = k.ref limit 1) r
    )
"""
