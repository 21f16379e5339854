"""What each finding about a connection means, and what helps: plain words, to be translated where they are shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connector.checkups import Check, Verdict
from connector.web.language import N_


@dataclass(frozen=True, slots=True)
class Phrase:
    """What was seen, with places for what was found: {found} all of it, {first}, {second}, {third}, {others}. `cure`: what helps."""

    says: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Worded:
    """One check in the reader's language."""

    title: str
    verdict: str
    kind: str
    says: str
    cure: str


TITLES: Mapping[str, str] = {
    "address": N_("Address of the store"),
    "permalinks": N_("Permalinks"),
    "keys": N_("Keys"),
    "rights": N_("Rights of the keys"),
    "firewall": N_("Security plugins"),
    "clock": N_("Clock of the store"),
    "woocommerce_version": N_("WooCommerce version"),
    "wordpress_version": N_("WordPress version"),
    "php_version": N_("PHP version"),
    "cron": N_("Scheduled tasks of the store"),
    "lateness": N_("Delay of the news"),
    "webhooks": N_("Webhooks of the store"),
    "plugin": N_("Connector’s plugin"),
    "capture": N_("Whose carts are recorded"),
    "checkout_page": N_("Checkout page"),
    "order_storage": N_("Where orders are kept"),
    "mailers": N_("Other reminders of abandoned carts"),
    "hidden_email": N_("Payment windows that hide the e-mail"),
}
VERDICTS: Mapping[Verdict, tuple[str, str]] = {
    Verdict.BAD: (N_("to mend"), "bad"),
    Verdict.ATTENTION: (N_("worth a look"), "warn"),
    Verdict.GOOD: (N_("in order"), "good"),
    Verdict.UNKNOWN: (N_("not known"), ""),
}
NOT_REACHED = Phrase(N_("Could not be looked at: mend what stands above first."))
NOT_TOLD = Phrase(N_("The store does not tell."))
WALL_CURE = N_(
    "Allow calls to /wp-json/ in that program, or have your host do so. Nothing else about the site needs to be opened: "
    "what we read there is protected by the keys."
)
KEYS_CURE = N_("Connect the store again: it then gives us new keys.")

_WAYS: Mapping[tuple[str, str], Phrase] = {
    ("address", ""): Phrase(N_("The store answers at {found}.")),
    ("address", "unreachable"): Phrase(
        N_("The store does not answer at all ({found})."),
        N_("Open the store’s address in a browser. If it opens there, ask your host whether it turns away calls from other servers."),
    ),
    ("address", "not_called"): Phrase(
        N_("We do not call this address ({found})."), N_("Connect the store again under the public https address that shoppers use.")
    ),
    ("address", "certificate"): Phrase(
        N_("The certificate of the store is not accepted ({found})."),
        N_("Have your host put the certificate right: it must be valid, complete and made out to this address."),
    ),
    ("address", "redirect"): Phrase(
        N_("The store sends us on to {found}; on the way the keys would be lost."),
        N_("Connect the store again under exactly that address."),
    ),
    ("address", "password"): Phrase(
        N_("The whole site is behind a password."),
        N_("Take the password off, or have your host let calls to /wp-json/ through without it. Our keys protect what is read there."),
    ),
    ("address", "busy"): Phrase(
        N_("The store, or a guard before it, asks us to call less often."),
        N_("Examine again in some minutes. If it stays so, have your host or your security plugin allow more calls to /wp-json/."),
    ),
    ("address", "maintenance"): Phrase(
        N_("The site is being maintained."),
        N_("End the maintenance mode, then examine again. What was missed meanwhile is read afterwards."),
    ),
    ("address", "broken"): Phrase(
        N_("The store answers with a fault of its own ({found})."),
        N_("Look under WooCommerce > Status > Logs for fatal errors; most come from a plugin that was updated last."),
    ),
    ("address", "wall"): Phrase(N_("Something before the store turns us away ({found})."), WALL_CURE),
    ("address", "closed"): Phrase(N_("A plugin closes WordPress’s REST API ({found})."), WALL_CURE),
    ("address", "no_wordpress"): Phrase(
        N_("There is no WordPress at this address, or its REST API is switched off."),
        N_("Check that the store opens at this address, then connect it again under the one that the browser shows."),
    ),
    ("address", "other_home"): Phrase(
        N_("The store calls itself {first}, and we know it as {second}."),
        N_("If it has moved, connect it again under its new address. If this is a copy for tests, disconnect the copy."),
    ),
    ("address", "http_home"): Phrase(
        N_("The store calls itself {found} without https."),
        N_("Under Settings > General, let both addresses begin with https://. Links in reminders lead there."),
    ),
    ("address", "plain_http"): Phrase(
        N_("The store is reached without encryption."), N_("That is for stores on a developer’s machine only; a real one needs https.")
    ),
    ("permalinks", ""): Phrase(N_("The REST API has addresses of its own.")),
    ("permalinks", "plain"): Phrase(
        N_("Permalinks are set to Plain: WooCommerce’s keys do not work then."),
        N_("Under Settings > Permalinks choose anything but Plain, and save."),
    ),
    ("permalinks", "no_woocommerce"): Phrase(
        N_("WordPress answers, but WooCommerce does not."), N_("Switch the WooCommerce plugin on, then save Settings > Permalinks once.")
    ),
    ("keys", ""): Phrase(N_("They travel in the Authorization header.")),
    ("keys", "query"): Phrase(
        N_("They travel in addresses, because the web server takes the Authorization header away. That works."),
        N_("Better: have your host pass the header on, then connect the store again; the keys then stand in no log of the server."),
    ),
    ("keys", "oauth"): Phrase(
        N_("They sign each call, as stores without https need it."),
        N_("That is for stores on a developer’s machine only; a real one needs https."),
    ),
    ("keys", "stripped"): Phrase(
        N_("The web server takes the Authorization header away since the store was connected."),
        N_("Connect the store again: the keys then travel another way. Or have your host pass the header on."),
    ),
    ("keys", "dead"): Phrase(N_("The store does not know our keys any more: somebody deleted or changed them."), KEYS_CURE),
    ("rights", ""): Phrase(N_("The keys may read and write.")),
    ("rights", "no_read"): Phrase(N_("The keys may not read."), KEYS_CURE),
    ("rights", "read_only"): Phrase(
        N_("The keys may read only: webhooks and discount codes cannot be made."),
        N_("Connect the store again, or give the key Read/Write under WooCommerce > Settings > Advanced > REST API."),
    ),
    ("rights", "owner"): Phrase(
        N_("The person to whom the keys belong may not manage the shop any more."),
        N_("Give that person the role of shop manager again, or have somebody who has it connect the store again."),
    ),
    ("rights", "write_wall"): Phrase(N_("Reading is let through and writing is turned away ({found})."), WALL_CURE),
}
_STATE: Mapping[tuple[str, str], Phrase] = {
    ("firewall", ""): Phrase(N_("None that we know of.")),
    ("firewall", "passing"): Phrase(N_("{found}: it lets us through.")),
    ("clock", ""): Phrase(N_("It agrees with ours to {found} s.")),
    ("clock", "ahead"): Phrase(
        N_("It is {found} s ahead of ours."),
        N_("Have your host set the server’s clock by network time; then delays and the order of events are right."),
    ),
    ("clock", "behind"): Phrase(
        N_("It is {found} s behind ours."),
        N_("Have your host set the server’s clock by network time; then delays and the order of events are right."),
    ),
    ("woocommerce_version", ""): Phrase("{found}"),
    ("woocommerce_version", "old"): Phrase(N_("{found} is older than what we support (9 to 11)."), N_("Update WooCommerce.")),
    ("woocommerce_version", "new"): Phrase(
        N_("{found} is newer than what we have tried (9 to 11)."), N_("Most likely all is well. Tell support if something is missing.")
    ),
    ("wordpress_version", ""): Phrase("{found}"),
    ("wordpress_version", "old"): Phrase(N_("{found} is too old for Connector’s plugin, which needs 6.4."), N_("Update WordPress.")),
    ("php_version", ""): Phrase("{found}"),
    ("php_version", "old"): Phrase(
        N_("{found} is too old for Connector’s plugin, which needs 7.4."), N_("Choose a newer PHP in the settings of your hosting.")
    ),
    ("cron", ""): Phrase(N_("They run: the oldest one that is due waits for {found} min.")),
    ("cron", "late"): Phrase(
        N_("The oldest task that is due has been waiting for {found} min, and webhooks are such tasks."),
        N_(
            "They run when somebody visits the site. Have your host call wp-cron.php every minute, and look under "
            "WooCommerce > Status > Scheduled Actions for one that fails."
        ),
    ),
    ("cron", "disabled"): Phrase(
        N_("WordPress does not run its tasks by itself (DISABLE_WP_CRON)."),
        N_("Make sure that your host calls wp-cron.php every minute: webhooks go out no sooner."),
    ),
    ("cron", "disabled_late"): Phrase(
        N_("WordPress does not run its tasks by itself (DISABLE_WP_CRON), and the oldest one has been waiting for {found} min."),
        N_("Have your host call wp-cron.php every minute: webhooks go out no sooner."),
    ),
    ("lateness", ""): Phrase(N_("Half of the last {third} arrived within {first} min, the latest after {second} min.")),
    ("lateness", "late"): Phrase(
        N_(
            "Half of the last {third} took more than {first} min, the latest {second} min. "
            "Reminders are based on when things happened, not on when we heard of them."
        ),
        N_("The store sends its news when its scheduled tasks run. Have your host call wp-cron.php every minute."),
    ),
    ("webhooks", ""): Phrase(N_("{found} are active and lead here.")),
    ("webhooks", "none"): Phrase(
        N_("None leads here ({first})."), N_("Press “Check again” under Webhooks on the page of the store: they are made again.")
    ),
    ("webhooks", "missing"): Phrase(
        N_("Some are missing ({first}): {others}"), N_("Press “Check again” under Webhooks on the page of the store: they are made again.")
    ),
    ("webhooks", "stopped"): Phrase(
        N_("The store stopped some ({first}): {others}"),
        N_(
            "WooCommerce does so after seven failures in a row. "
            "Press “Check again” under Webhooks on the page of the store: they are made again."
        ),
    ),
    ("webhooks", "failing"): Phrase(
        N_("{first} are active, but the last {second} deliveries of carts failed."),
        N_("After seven failures in a row WooCommerce stops. Ask your host whether the server may call other servers over https."),
    ),
}
_CARTS: Mapping[tuple[str, str], Phrase] = {
    ("plugin", ""): Phrase(N_("It is installed ({found}).")),
    ("plugin", "missing"): Phrase(
        N_("It is not installed: nothing is seen of a cart before the order is placed, only orders that wait for payment."),
        N_("Install it: download it on the page of the store."),
    ),
    ("plugin", "missing_drafts"): Phrase(
        N_("It is not installed: carts are seen only on the block checkout, and only until you update to WooCommerce 10.8."),
        N_("Install it: download it on the page of the store."),
    ),
    ("plugin", "outdated"): Phrase(
        N_("Version {first} is installed, {second} is out."),
        N_("Download it on the page of the store and upload it once more: settings stay."),
    ),
    ("plugin", "moved"): Phrase(
        N_("It rests: the address of the site is not the one where it was switched on, so this may be a copy."),
        N_("On the real store press “This is the real store” under WooCommerce > Saved carts. On a copy leave it as it is."),
    ),
    ("plugin", "silent"): Phrase(
        N_("It is switched on, or was within the last hour, but does not answer."),
        N_("Allow calls to /wp-json/wc-connector/ in your security plugin; if there is none, switch the plugin off and on again."),
    ),
    ("capture", "everyone"): Phrase(N_("Everybody’s, with a notice and a way out.")),
    ("capture", "opt_in"): Phrase(N_("Those of shoppers who ticked the box.")),
    ("capture", "logged_in"): Phrase(
        N_("Those of signed-in customers only: carts of guests are not seen."),
        N_("Change it under WooCommerce > Saved carts, if you want to."),
    ),
    ("capture", "off"): Phrase(N_("Nobody’s: recording is switched off."), N_("Switch it on under WooCommerce > Saved carts.")),
    ("checkout_page", "block"): Phrase(N_("The block checkout.")),
    ("checkout_page", "classic"): Phrase(N_("The classic checkout.")),
    ("checkout_page", "both"): Phrase(N_("Both the block and the classic checkout.")),
    ("checkout_page", "none"): Phrase(
        N_("Neither WooCommerce’s block nor its classic checkout: another plugin makes the page."),
        N_("Place a test order up to the e-mail, and look whether its cart appears here."),
    ),
    ("order_storage", ""): Phrase(N_("In tables of their own (HPOS).")),
    ("order_storage", "legacy"): Phrase(
        N_("Among the posts, the older way."),
        N_(
            "Changes of a started checkout are hard to see there. Switch to High-Performance Order Storage under "
            "WooCommerce > Settings > Advanced > Features, or install the plugin."
        ),
    ),
    ("mailers", ""): Phrase(N_("No other one that we know of.")),
    ("mailers", "core"): Phrase(
        N_("WooCommerce’s own reminder is on: shoppers would get two."),
        N_("Switch it off under WooCommerce > Settings > Emails, or install Connector’s plugin, which keeps it back."),
    ),
    ("mailers", "others"): Phrase(
        N_("{found} may write to the same shoppers."),
        N_("Switch their abandoned-cart mails off, or leave the reminder here off: one is enough."),
    ),
    ("hidden_email", ""): Phrase(N_("None that we know of.")),
    ("hidden_email", "iframe"): Phrase(
        N_("{found}: what is typed into such a window is not known before the order, and nobody can be reminded."),
        N_("Ask for the e-mail before that window opens, on the cart page or in the account; signed-in customers are known anyway."),
    ),
    ("hidden_email", "express"): Phrase(
        N_("Whoever presses an express button of {found} types the e-mail there, and we know it only with the order."),
        N_("Nothing has to be done. Shoppers who use the checkout form are seen."),
    ),
}
PHRASES: Mapping[tuple[str, str], Phrase] = {**_WAYS, **_STATE, **_CARTS}


def worded(check: Check, gettext: Callable[[str], str]) -> Worded:
    """A check in words. What this version has no words for, and an address of no name, is shown as it was found."""
    verdict, kind = VERDICTS[check.verdict]
    phrase = PHRASES.get((check.code, check.cause))
    if check.verdict is Verdict.UNKNOWN:
        phrase = NOT_REACHED if check.cause == "not_reached" else NOT_TOLD
    elif not check.found and phrase is not None and "{" in phrase.says:
        phrase = Phrase("", phrase.cure)
    if phrase is None:
        phrase = Phrase("{found}")
    return Worded(
        title=gettext(TITLES[check.code]) if check.code in TITLES else check.code,
        verdict=gettext(verdict),
        kind=kind,
        says=_filled(gettext(phrase.says) if phrase.says else "", check.found),
        cure=gettext(phrase.cure) if phrase.cure else "",
    )


def _filled(text: str, found: tuple[str, ...]) -> str:
    """What was found never becomes a pattern itself."""
    first, second, third, *_ = (*found, "", "", "")
    return text.format(found=", ".join(found), first=first, second=second, third=third, others=", ".join(found[1:]))
