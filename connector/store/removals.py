"""What the store said is gone. Removals are kept, so that a late delivery of the record changes nothing."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlmodel import Session

from connector.canonical import Removed, Resource
from connector.store.upserts import as_json

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
                select shop_id, resource, ref, at from jsonb_populate_recordset(null::removals, cast(:rows as jsonb))
                on conflict (shop_id, resource, ref) do update set at = greatest(removals.at, excluded.at)
            """),
            {"rows": as_json(list(newest.values()))},
        )


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
        by_cart = "or r.ref = 'cart:' || t.cart_token" if resource is Resource.CHECKOUT else ""
        named_by_cart = "or t.cart_token = any(:carts)" if resource is Resource.CHECKOUT else ""
        statement = text(f"""
            with said as (
                select t.id, (select max(r.at) from removals r where r.shop_id = t.shop_id and r.resource = :resource
                              and (r.ref = 'id:' || t.platform_id {by_cart}) and r.at >= t.source_version) at
                from {table} t where t.shop_id = :shop and (t.id = any(:ids) or t.platform_id = any(:platform_ids) {named_by_cart})
            )
            update {table} t set deleted_at = said.at from said
            where t.id = said.id and t.deleted_at is distinct from said.at returning t.id
        """)
        values = {
            "shop": shop_id,
            "resource": resource.value,
            "ids": ids.get(resource, []),
            "platform_ids": [r.platform_id for r in named if r.platform_id is not None],
            "carts": [r.cart_token for r in named if r.cart_token is not None],
        }
        touched = list(session.execute(statement, values).scalars())
        if resource is Resource.CHECKOUT:
            changed = touched
    return changed
