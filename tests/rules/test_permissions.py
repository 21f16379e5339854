"""The role tables, written down a second time by hand: a right that appears or goes must be meant."""

import pytest

from connector.rules.permissions import Permission, Role, StaffPermission, StaffRole, member_may, staff_may

MEMBERS = {
    # right: owner, marketer, read-only
    "view": (True, True, True),
    "automate": (True, True, False),
    "preview": (True, True, False),
    "export": (True, True, False),
    "connect": (True, False, False),
    "members": (True, False, False),
    "keys": (True, False, False),
    "audit": (True, False, False),
    "privacy": (True, False, False),
}
STAFF = {
    # right: viewer, support, admin
    "look": (True, True, True),
    "personal": (False, True, True),
    "act": (False, True, True),
    "audit": (False, False, True),
}


@pytest.mark.spec("SEC-236")
def test_members_may_what_their_table_says_and_nothing_else() -> None:
    roles = (Role.OWNER, Role.MARKETER, Role.READ_ONLY)
    assert set(roles) == set(Role)
    assert {right.value: tuple(member_may(role, right) for role in roles) for right in Permission} == MEMBERS


@pytest.mark.spec("SEC-236")
def test_staff_may_what_their_table_says_and_nothing_else() -> None:
    roles = (StaffRole.VIEWER, StaffRole.SUPPORT, StaffRole.ADMIN)
    assert set(roles) == set(StaffRole)
    assert {right.value: tuple(staff_may(role, right) for role in roles) for right in StaffPermission} == STAFF
