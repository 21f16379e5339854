"""What a platform keeps from us, in groups."""

import pytest

from connector.rules.withheld import Withheld, groups_of, withheld_groups


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("orders.nodes.0.email", Withheld.EMAIL),
        ("nodes.3.customer.defaultEmailAddress.emailAddress", Withheld.EMAIL),
        ("orders.nodes.0.phone", Withheld.PHONE),
        ("customers.nodes.0.defaultPhoneNumber", Withheld.PHONE),
        ("customers.nodes.0.firstName", Withheld.NAME),
        ("orders.nodes.1.customer.displayName", Withheld.NAME),
        ("orders.nodes.0.shippingAddress", Withheld.ADDRESS),
        ("orders.nodes.0.shippingAddress.countryCodeV2", Withheld.ADDRESS),
        ("orders.nodes.0.customer", Withheld.CUSTOMER),
        ("orders", Withheld.ORDERS),
        ("abandonedCheckouts", Withheld.CHECKOUTS),
        ("productVariant.inventoryItem", Withheld.PRODUCTS),
        ("codeDiscountNodeByCode", Withheld.DISCOUNTS),
        ("shop.plan", Withheld.OTHER),
        ("", Withheld.OTHER),
    ],
)
def test_a_withheld_field_belongs_to_a_group(path: str, group: Withheld) -> None:
    assert withheld_groups([path]) == {group}


def test_entries_name_each_group_once_in_a_fixed_order() -> None:
    assert groups_of(["order.phone", "customer.email", "order.email", "nonsense"]) == (Withheld.EMAIL, Withheld.PHONE)
    assert groups_of([]) == ()
