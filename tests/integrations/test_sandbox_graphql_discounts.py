"""The pretend shop's discounts: made, refused, used, changed and taken away as Shopify does it, and told by webhooks."""

from datetime import timedelta
from typing import Any

import pytest

from integrations.sandbox.shopify_discount_book import BXGY
from tests.integrations.graph_kit import GraphShop

FIELDS = """__typename
  ... on DiscountCodeBasic { title status startsAt endsAt usageLimit appliesOncePerCustomer asyncUsageCount
    codesCount { count precision } codes(first: 3) { nodes { code asyncUsageCount } } context { __typename }
    combinesWith { orderDiscounts productDiscounts shippingDiscounts }
    customerGets { appliesOnOneTimePurchase appliesOnSubscription items { __typename }
      value { __typename ... on DiscountPercentage { percentage } ... on DiscountAmount { amount { amount } appliesOnEachItem } } }
    minimumRequirement { ... on DiscountMinimumSubtotal { greaterThanOrEqualToSubtotal { amount currencyCode } } } }
  ... on DiscountCodeFreeShipping { title status destinationSelection { __typename } codes(first: 1) { nodes { code } } }"""
PAYLOAD = f"{{ codeDiscountNode {{ id codeDiscount {{ {FIELDS} }} }} userErrors {{ field code message extraInfo }} }}"
CREATE = f"mutation C($it: DiscountCodeBasicInput!) {{ discountCodeBasicCreate(basicCodeDiscount: $it) {PAYLOAD} }}"
UPDATE = f"mutation U($id: ID!, $it: DiscountCodeBasicInput!) {{ discountCodeBasicUpdate(id: $id, basicCodeDiscount: $it) {PAYLOAD} }}"
FREE = f"mutation F($it: DiscountCodeFreeShippingInput!) {{ discountCodeFreeShippingCreate(freeShippingCodeDiscount: $it) {PAYLOAD} }}"
BY_CODE = f"query B($code: String!) {{ codeDiscountNodeByCode(code: $code) {{ id codeDiscount {{ {FIELDS} }} }} }}"
LIST = "query L($query: String) { discountNodes(first: 50, query: $query, sortKey: UPDATED_AT) { nodes { id discount { __typename } } } }"
TENTH = {
    "title": "Thank you 10%",
    "code": "THANKS-7Q2K",
    "startsAt": "2026-11-20T12:00:00Z",
    "context": {"all": "ALL"},
    "appliesOncePerCustomer": True,
    "customerGets": {"value": {"percentage": 0.1}, "items": {"all": True}},
}


@pytest.fixture
def graph() -> GraphShop:
    return GraphShop()


@pytest.fixture
def told(graph: GraphShop) -> list[tuple[str, dict[str, Any]]]:
    """The webhooks that left."""
    left: list[tuple[str, dict[str, Any]]] = []
    graph.shop.discounts.on_change = lambda topic, body: left.append((topic, body))
    return left


def created(graph: GraphShop, **changes: Any) -> Any:
    """The node of a new basic code."""
    payload = graph.data(CREATE, it={**TENTH, **changes})["discountCodeBasicCreate"]
    assert payload["userErrors"] == []
    return payload["codeDiscountNode"]


def errors(graph: GraphShop, **changes: Any) -> list[dict[str, Any]]:
    """What a create is refused for."""
    wanted = {name: value for name, value in {**TENTH, **changes}.items() if value is not ...}
    payload = graph.data(CREATE, it=wanted)["discountCodeBasicCreate"]
    assert payload["codeDiscountNode"] is None
    found: list[dict[str, Any]] = payload["userErrors"]
    return found


def test_a_code_is_created_as_it_was_asked_for(graph: GraphShop, told: list[Any]) -> None:
    node = created(graph)
    code = node["codeDiscount"]
    assert node["id"].startswith("gid://shopify/DiscountCodeNode/")
    assert (code["__typename"], code["status"], code["endsAt"], code["usageLimit"]) == ("DiscountCodeBasic", "ACTIVE", None, None)
    assert code["codes"]["nodes"] == [{"code": "THANKS-7Q2K", "asyncUsageCount": 0}]
    assert code["codesCount"] == {"count": 1, "precision": "EXACT"}
    assert code["context"]["__typename"] == "DiscountBuyerSelectionAll"
    assert code["customerGets"]["items"]["__typename"] == "AllDiscountItems"
    assert code["customerGets"]["value"] == {"__typename": "DiscountPercentage", "percentage": 0.1}
    assert code["combinesWith"] == {"orderDiscounts": False, "productDiscounts": False, "shippingDiscounts": False}
    ((topic, body),) = told
    assert topic == "discounts/create"
    assert body["admin_graphql_api_id"] == node["id"]
    assert set(body) == {"admin_graphql_api_id", "title", "status", "created_at", "updated_at"}
    assert body["created_at"] == "2026-11-20T07:00:00-05:00"


def test_a_fixed_amount_with_a_minimum_and_free_shipping_can_be_made(graph: GraphShop) -> None:
    value = {"value": {"discountAmount": {"amount": "5.00", "appliesOnEachItem": False}}, "items": {"all": True}}
    minimum = {"subtotal": {"greaterThanOrEqualToSubtotal": "40"}}
    code = created(graph, customerGets=value, minimumRequirement=minimum)["codeDiscount"]
    assert code["customerGets"]["value"] == {"__typename": "DiscountAmount", "amount": {"amount": "5.00"}, "appliesOnEachItem": False}
    assert code["minimumRequirement"]["greaterThanOrEqualToSubtotal"] == {"amount": "40.00", "currencyCode": "USD"}
    free = {name: value for name, value in TENTH.items() if name != "customerGets"}
    made = graph.data(FREE, it={**free, "code": "SHIPFREE", "destination": {"all": True}})["discountCodeFreeShippingCreate"]
    assert made["userErrors"] == []
    assert made["codeDiscountNode"]["codeDiscount"]["destinationSelection"] == {"__typename": "DiscountCountryAll"}


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"title": " "}, "BLANK", ["title"]),
        ({"code": ...}, "BLANK", ["code"]),
        ({"code": "x" * 256}, "TOO_LONG", ["code"]),
        ({"startsAt": ...}, "BLANK", ["startsAt"]),
        ({"context": ...}, "BLANK", ["context"]),
        ({"endsAt": "2026-11-20T12:00:00Z"}, "END_DATE_BEFORE_START_DATE", ["endsAt"]),
        ({"usageLimit": 0}, "GREATER_THAN", ["usageLimit"]),
        (
            {"customerGets": {"value": {"percentage": 10.0}, "items": {"all": True}}},
            "VALUE_OUTSIDE_RANGE",
            ["customerGets", "value", "percentage"],
        ),
        ({"customerGets": {"value": {"percentage": 0.1}}}, "BLANK", ["customerGets", "items"]),
        ({"customerGets": {"items": {"all": True}}}, "BLANK", ["customerGets", "value"]),
    ],
)
def test_a_bad_input_is_refused_by_its_field(
    graph: GraphShop, told: list[Any], changes: dict[str, Any], code: str, field: list[str]
) -> None:
    (error,) = errors(graph, **changes)
    assert (error["code"], error["field"]) == (code, ["basicCodeDiscount", *field])
    assert (len(graph.shop.discounts), told) == (0, [])


def test_a_code_is_taken_whatever_its_letter_case(graph: GraphShop) -> None:
    created(graph)
    (error,) = errors(graph, code="thanks-7q2k", title="Another")
    assert error == {
        "field": ["basicCodeDiscount", "code"],
        "code": "TAKEN",
        "message": "Code must be unique. Please try a different code.",
        "extraInfo": None,
    }
    found = graph.data(BY_CODE, code="Thanks-7q2K")["codeDiscountNodeByCode"]
    assert found["codeDiscount"]["title"] == "Thank you 10%"
    assert graph.data(BY_CODE, code="NOTHING")["codeDiscountNodeByCode"] is None


def test_an_error_may_come_without_field_and_code(graph: GraphShop) -> None:
    graph.shop.discounts.refuse_next("Something went wrong, please try again.")
    (error,) = errors(graph)
    assert (error["field"], error["code"]) == (None, None)
    created(graph)


def test_a_code_is_deactivated_activated_changed_and_deleted(graph: GraphShop, told: list[Any]) -> None:
    node = created(graph)["id"]
    graph.at += timedelta(hours=1)
    switch = f"mutation S($id: ID!) {{ off: discountCodeDeactivate(id: $id) {PAYLOAD} }}"
    off = graph.data(switch, id=node)["off"]["codeDiscountNode"]["codeDiscount"]
    assert (off["status"], off["endsAt"]) == ("EXPIRED", "2026-11-20T13:00:00Z")
    on = graph.data(switch.replace("Deactivate", "Activate"), id=node)["off"]["codeDiscountNode"]["codeDiscount"]
    assert (on["status"], on["endsAt"]) == ("ACTIVE", None)
    payload = graph.data(UPDATE, id=node, it={"usageLimit": 5, "endsAt": "2026-12-01T00:00:00Z"})["discountCodeBasicUpdate"]
    changed = payload["codeDiscountNode"]["codeDiscount"]
    assert (changed["usageLimit"], changed["endsAt"], changed["title"]) == (5, "2026-12-01T00:00:00Z", "Thank you 10%")
    delete = "mutation D($id: ID!) { discountCodeDelete(id: $id) { deletedCodeDiscountId userErrors { code field } } }"
    assert graph.data(delete, id=node)["discountCodeDelete"] == {"deletedCodeDiscountId": node, "userErrors": []}
    again = graph.data(delete, id=node)["discountCodeDelete"]
    assert again == {"deletedCodeDiscountId": None, "userErrors": [{"code": "INVALID", "field": ["id"]}]}
    assert [topic for topic, _ in told] == ["discounts/create", *["discounts/update"] * 3, "discounts/delete"]
    assert set(told[-1][1]) == {"admin_graphql_api_id", "deleted_at"}


def test_uses_are_counted_late_and_end_at_the_limit(graph: GraphShop) -> None:
    created(graph, usageLimit=2)
    book = graph.shop.discounts
    book.count_lag = timedelta(minutes=5)
    assert book.use("thanks-7q2k", "mary")
    assert not book.use("THANKS-7Q2K", "mary"), "once per customer"
    assert book.use("THANKS-7Q2K", "anna")
    assert not book.use("THANKS-7Q2K", "john"), "used up"

    def code() -> Any:
        return graph.data(BY_CODE, code="THANKS-7Q2K")["codeDiscountNodeByCode"]["codeDiscount"]

    assert code()["asyncUsageCount"] == 0
    graph.at += timedelta(minutes=5)
    assert (code()["asyncUsageCount"], code()["codes"]["nodes"][0]["asyncUsageCount"], code()["status"]) == (2, 2, "ACTIVE")


def test_a_code_holds_between_its_times_only(graph: GraphShop) -> None:
    created(graph, startsAt="2026-11-20T13:00:00Z", endsAt="2026-11-20T14:00:00Z")
    seen = []
    for _ in range(3):
        status = graph.data(BY_CODE, code="THANKS-7Q2K")["codeDiscountNodeByCode"]["codeDiscount"]["status"]
        seen.append((status, graph.shop.discounts.use("THANKS-7Q2K")))
        graph.at += timedelta(hours=1)
    assert seen == [("SCHEDULED", False), ("ACTIVE", True), ("EXPIRED", False)]


def test_many_codes_are_added_in_the_background_each_with_its_outcome(graph: GraphShop, told: list[Any]) -> None:
    node = created(graph)["id"]
    graph.shop.discounts.codes_a_look = 2
    add = """mutation A($id: ID!, $codes: [DiscountRedeemCodeInput!]!) { discountRedeemCodeBulkAdd(discountId: $id, codes: $codes) {
      bulkCreation { id done codesCount importedCount failedCount } userErrors { field code } } }"""
    codes = [{"code": code} for code in ("ONE", "thanks-7q2k", "TWO")]
    started = graph.data(add, id=node, codes=codes)["discountRedeemCodeBulkAdd"]["bulkCreation"]
    assert {**started, "id": ""} == {"id": "", "done": False, "codesCount": 3, "importedCount": 0, "failedCount": 0}
    look = """query P($id: ID!) { discountRedeemCodeBulkCreation(id: $id) { done importedCount failedCount
      codes(first: 250) { nodes { code discountRedeemCode { id } errors { field code message } } } } }"""
    first, second = (graph.data(look, id=started["id"])["discountRedeemCodeBulkCreation"] for _ in range(2))
    assert (first["done"], first["importedCount"], first["failedCount"]) == (False, 1, 1)
    assert (second["done"], second["importedCount"], second["failedCount"]) == (True, 2, 1)
    one, taken, two = second["codes"]["nodes"]
    assert (one["errors"], two["errors"], taken["discountRedeemCode"]) == ([], [], None)
    assert taken["errors"] == [{"field": None, "code": "TAKEN", "message": "must be unique. Please try a different code."}]
    assert [code.code for code in graph.shop.discounts.find("two").codes] == ["THANKS-7Q2K", "ONE", "TWO"]  # type: ignore[union-attr]
    assert [topic for topic, _ in told] == ["discounts/create", *["discounts/redeemcode_added"] * 2]
    assert told[-1][1]["redeem_code"]["code"] == "TWO"
    remove = """mutation R($id: ID!, $ids: [ID!]) { discountCodeRedeemCodeBulkDelete(discountId: $id, ids: $ids) {
      job { id done } userErrors { code } } }"""
    job = graph.data(remove, id=node, ids=[one["discountRedeemCode"]["id"]])["discountCodeRedeemCodeBulkDelete"]["job"]
    assert (job["done"], graph.shop.discounts.find("ONE") is not None) == (False, True)
    assert graph.data("query J($id: ID!) { job(id: $id) { done } }", id=job["id"]) == {"job": {"done": True}}
    assert graph.data('{ job(id: "gid://shopify/Job/7") { done } }') == {"job": None}
    assert (graph.shop.discounts.find("ONE"), told[-1][0]) == (None, "discounts/redeemcode_removed")
    assert graph.codes(graph.ask(add, id=node, codes=[{"code": f"C{number}"} for number in range(251)])) == ["MAX_INPUT_SIZE_EXCEEDED"]


def test_discounts_are_listed_with_automatic_ones_unless_asked_by_method(graph: GraphShop) -> None:
    made = created(graph)["id"]
    graph.at += timedelta(minutes=1)
    gift = graph.shop.discounts.add(BXGY, {"title": "Two for one", "code": "TWO", "context": {"all": "ALL"}})
    automatic = graph.shop.discounts.add("DiscountAutomaticBasic", {"title": "For all"})
    graph.shop.discounts.expire(gift.id)

    def found(query: str | None) -> list[tuple[str, str]]:
        nodes = graph.data(LIST, query=query)["discountNodes"]["nodes"]
        return [(node["id"].rpartition("/")[2], node["discount"]["__typename"]) for node in nodes]

    basic, bxgy = (made.rpartition("/")[2], "DiscountCodeBasic"), (str(gift.id), "DiscountCodeBxgy")
    assert found(None) == [basic, bxgy, (str(automatic.id), "DiscountAutomaticBasic")]
    assert found("method:code") == [basic, bxgy]
    assert found("method:code status:active") == [basic]
    assert found("method:code updated_at:>='2026-11-20T12:01:00Z'") == [bxgy]
    assert found("method:code thank") == [basic]
    assert found("code:two") == [bxgy]


GONE = "gid://shopify/DiscountCodeNode/7"
ON_NOTHING = {
    "discountCodeActivate": f'id: "{GONE}"',
    "discountCodeDeactivate": f'id: "{GONE}"',
    "discountCodeBasicUpdate": f'id: "{GONE}", basicCodeDiscount: {{title: "T"}}',
    "discountRedeemCodeBulkAdd": f'discountId: "{GONE}", codes: [{{code: "A"}}]',
    "discountCodeRedeemCodeBulkDelete": f'discountId: "{GONE}", ids: []',
}


@pytest.mark.parametrize("name", ON_NOTHING)
def test_a_discount_that_is_gone_is_named_as_the_error(graph: GraphShop, told: list[Any], name: str) -> None:
    field = "discountId" if name == "discountRedeemCodeBulkAdd" else "id"
    payload = graph.data(f"mutation {{ {name}({ON_NOTHING[name]}) {{ userErrors {{ code field }} }} }}")[name]
    assert payload["userErrors"] == [{"code": "INVALID", "field": [field]}]
    assert told == []


def test_a_change_cannot_take_anothers_code_and_keeps_the_rest(graph: GraphShop, told: list[Any]) -> None:
    created(graph)
    second = created(graph, code="SECOND")["id"]
    del told[:]
    refused = graph.data(UPDATE, id=second, it={"code": "thanks-7Q2K"})["discountCodeBasicUpdate"]
    assert refused["userErrors"][0]["code"] == "TAKEN"
    assert (graph.shop.discounts.find("second") is not None, told) == (True, [])
    same = graph.data(UPDATE, id=second, it={"code": "Second", "title": "New"})["discountCodeBasicUpdate"]
    assert same["codeDiscountNode"]["codeDiscount"]["codes"]["nodes"] == [{"code": "Second", "asyncUsageCount": 0}]
    assert [topic for topic, _ in told] == ["discounts/update"]


def test_codes_cannot_be_blank_and_go_with_their_discount(graph: GraphShop) -> None:
    node = created(graph)["id"]
    book = graph.shop.discounts
    number = int(node.rpartition("/")[2])
    assert book.begin_import(number, [])[1][0].code == "BLANK"
    started, _ = book.begin_import(number, [" ", "LATER"])
    assert started is not None
    book.codes_a_look = 1
    book.look_at(started.id)
    assert book.delete(number) == []
    done = book.look_at(started.id)
    assert done is not None
    assert [wrong.code if wrong else None for _, wrong in done.done] == ["BLANK", "INVALID"]
    assert book.look_at(1) is None
