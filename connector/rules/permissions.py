"""Who may do what: the roles of a merchant's people and of ours, as one table each; and what an API key may be made for."""

from enum import StrEnum


class Role(StrEnum):
    """What a member is in an account."""

    OWNER = "owner"
    MARKETER = "marketer"
    READ_ONLY = "read_only"


class Permission(StrEnum):
    """
    What a member may want to do with the account's own data.

    AUTOMATE: switch, threshold and text of the automation, register webhooks. PREVIEW: send oneself the mail. EXPORT: take lists
    along. CONNECT: connect a store. MEMBERS, KEYS: manage people and API keys. AUDIT: read who did what. PRIVACY: what shoppers ask by
    law, with all that is kept of them.
    """

    VIEW = "view"
    AUTOMATE = "automate"
    PREVIEW = "preview"
    EXPORT = "export"
    CONNECT = "connect"
    MEMBERS = "members"
    KEYS = "keys"
    AUDIT = "audit"
    PRIVACY = "privacy"


class StaffRole(StrEnum):
    """What one of our own people is."""

    VIEWER = "viewer"
    SUPPORT = "support"
    ADMIN = "admin"


class StaffPermission(StrEnum):
    """
    What our own people may want to do with merchants' data.

    LOOK: search with masked results, shops, lists of deliveries. PERSONAL: what is said of a person, raw bodies. ACT: handle
    deliveries again and the like. AUDIT: read everything that was done.
    """

    LOOK = "look"
    PERSONAL = "personal"
    ACT = "act"
    AUDIT = "audit"


class Scope(StrEnum):
    """What an API key may read."""

    SHOPS_READ = "shops:read"
    CHECKOUTS_READ = "checkouts:read"
    OFFERS_READ = "offers:read"


MEMBERS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.MARKETER: frozenset({Permission.VIEW, Permission.AUTOMATE, Permission.PREVIEW, Permission.EXPORT}),
    Role.READ_ONLY: frozenset({Permission.VIEW}),
}
STAFF: dict[StaffRole, frozenset[StaffPermission]] = {
    StaffRole.VIEWER: frozenset({StaffPermission.LOOK}),
    StaffRole.SUPPORT: frozenset({StaffPermission.LOOK, StaffPermission.PERSONAL, StaffPermission.ACT}),
    StaffRole.ADMIN: frozenset(StaffPermission),
}


def member_may(role: Role, permission: Permission) -> bool:
    """Whether a member of this role may do it."""
    return permission in MEMBERS[role]


def staff_may(role: StaffRole, permission: StaffPermission) -> bool:
    """Whether one of our people of this role may do it."""
    return permission in STAFF[role]
