"""What was done, as audit entries name it, in plain words."""

from collections.abc import Mapping

from connector.web.language import N_

ACTIONS: Mapping[str, str] = {
    "automation.on": N_("Reminder e-mail turned on"),
    "automation.off": N_("Reminder e-mail turned off"),
    "automation.delay": N_("Delay of the reminder changed"),
    "automation.clock": N_("What the delay counts from changed"),
    "automation.text": N_("Text of the reminder changed"),
    "checkouts.exported": N_("Checkouts exported"),
    "key.issued": N_("API key made"),
    "key.revoked": N_("API key ended"),
    "member.added": N_("Member added"),
    "member.recognised": N_("Member came in from the store’s admin"),
    "member.removed": N_("Member removed"),
    "member.role": N_("Role of a member changed"),
    "code.cleared": N_("Unused code cleared out of the store"),
    "code.issued": N_("Code made in the store"),
    "code.refused": N_("Code refused by the store"),
    "code.restored": N_("Code valid again in the store"),
    "code.suspended": N_("Code ended in the store"),
    "offer.changed": N_("Offer changed"),
    "offer.created": N_("Offer begun"),
    "offer.deactivated": N_("Offer deactivated"),
    "offer.deleted": N_("Offer deleted"),
    "offer.published": N_("Offer published"),
    "offer.resumed": N_("Offer active again"),
    "offer.suspended": N_("Offer suspended"),
    "preview.sent": N_("Preview of the reminder sent"),
    "privacy.answered": N_("Data request answered"),
    "privacy.erased": N_("Erased for good, as the law asks"),
    "privacy.opened": N_("Looked at the data that a shopper asked for"),
    "privacy.taken": N_("Took the data that a shopper asked for along"),
    "session.began": N_("Signed in"),
    "session.ended_everywhere": N_("Signed out everywhere"),
    "session.reused": N_("Signed out: an old session was used again"),
    "shop.connected": N_("Store connected"),
    "shop.moved_in": N_("Store came from another account"),
    "shop.moved_out": N_("Store moved to another account"),
    "staff.added": N_("Staff member added"),
    "staff.disabled": N_("Staff member disabled"),
    "staff.second_factor_reset": N_("Second factor of a staff member reset"),
    "support.reason": N_("Support gave a reason for looking"),
    "support.replayed": N_("Support had a delivery handled again"),
    "support.searched": N_("Support searched"),
    "support.viewed": N_("Support looked at personal data"),
    "transfer.offered": N_("Code made for a store of another account"),
    "webhooks.failed": N_("Webhooks could not be registered"),
    "webhooks.ready": N_("Webhooks registered"),
}
GROUPS: Mapping[str, str] = {
    "support.": N_("What support did"),
    "session.": N_("Signing in and out"),
    "member.": N_("Members"),
    "key.": N_("API keys"),
    "automation.": N_("Reminder e-mail"),
    "offer.": N_("Offers"),
    "code.": N_("Discount codes"),
    "shop.": N_("Stores"),
    "webhooks.": N_("Webhooks"),
    "checkouts.": N_("Exports"),
    "privacy.": N_("Privacy"),
    "staff.": N_("Staff"),
}


def action_text(action: str) -> str:
    """An action in plain English, which may be translated; one that this version does not know keeps its own word."""
    return ACTIONS.get(action, action)
