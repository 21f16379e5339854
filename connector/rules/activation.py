"""Whether a shop's automation may be turned on."""

from connector.errors import Refused


def check_activation(*, is_connected: bool, can_send: bool, contact_email: str | None, contact_address: str | None) -> None:
    """
    Return if the automation may be turned on; raise Refused with the first reason against it and the cure.

    `can_send`: messages have somewhere to go. Of the contact details one is enough; they stand in every footer (SQ-16).
    """
    if not is_connected:
        raise Refused("The shop is not connected. Connect it again, then turn the automation on.")
    if not can_send:
        raise Refused("There is no way to send e-mail: set SMTP_URL and restart, then turn the automation on.")
    if not any(text and text.strip() for text in (contact_email, contact_address)):
        raise Refused(
            "The shop has neither an e-mail nor a postal address of its own, and every message must say who sends it. "
            "Fill them in in the store's settings, connect the shop again, then turn the automation on."
        )
