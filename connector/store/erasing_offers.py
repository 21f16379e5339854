"""
Erasing what offers know of one person: whom grants were given to, their mails, and codes that are good for their address only.

What stays: that something was given, when, with which code and for which order, without whoever it was. It counts in the merchant's
numbers, and a code that was somebody's is never handed to another. Needs a system transaction.
"""

from sqlalchemy import text
from sqlmodel import Session

from connector.rules.subjects import Subject
from connector.store import offer_work, offers
from connector.store.erasing import BATCH, THEIR_ORDERS, values_of

THEIR_GRANTS = f"""
    shop_id = :shop and (customer_platform_id = any(:customers) or email_norm = any(:emails)
        or (phone_e164 = any(:phones) and email_norm is null and customer_platform_id is null)
        or order_id in (select id from orders where {THEIR_ORDERS}))
"""
"""Read before their orders forget whom they were placed by."""


def erase_grants(session: Session, shop_id: int, subject: Subject, limit: int = BATCH) -> int:
    """Up to `limit` of their grants forget them, with their mails; those that they held are over. Returns how many changed."""
    offer_work.hold(session, shop_id)
    values = values_of(shop_id, subject)
    ids = list(session.execute(_FIND, {**values, "limit": limit}).scalars())
    for statement in (_ERASE_MAILS, _EMPTY):
        session.execute(statement, {"ids": ids})
    codes = session.execute(_UNLOCK, {**values, "ids": ids}).all()
    if codes:
        offers.ring_codes(session, shop_id)
    return len(ids)


_FIND = text(f"""
    select id from grants
    where ({THEIR_GRANTS}) and num_nonnulls(person_key, customer_platform_id, email, email_norm, phone_e164, first_name, language) > 0
    order by id limit :limit for update
""")
_ERASE_MAILS = text("delete from grant_mails where grant_id = any(:ids)")
_EMPTY = text("""
    update grants set person_key = null, customer_platform_id = null, email = null, email_norm = null, phone_e164 = null,
        first_name = null, language = null,
        state_at = case when state in ('preparing', 'live', 'suspended') then app_now() else state_at end,
        reason = case when state in ('preparing', 'live', 'suspended') then 'erased' else reason end,
        state = case when state in ('preparing', 'live', 'suspended') then 'ended' else state end
    where id = any(:ids)
""")
# The store has the address in such a code, by our hand: so it goes there as well, unless it was used, which is the store's to keep.
_UNLOCK = text("""
    update offer_codes set email = null, wanted = 'deleted', due_at = app_now(), changed_at = app_now(), attempts = 0
    where shop_id = :shop and email is not null and (grant_id = any(:ids) or lower(email) = any(:emails)) returning 1
""")
