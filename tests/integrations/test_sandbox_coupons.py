"""The oddities of the pretend WooCommerce's coupons, one by one; they are a real store's."""

import json
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from integrations.sandbox.woocommerce_coupon_use import Cart, CouponRefused, apply_coupon, discounts, refusal
from integrations.sandbox.woocommerce_coupons import CouponFault
from integrations.transport import Transport
from tests.integrations.coupon_ground import Ground, days, make_ground, numbered, utc

GUEST = Cart(Decimal(80), "lea@example.org")
MEMBER = Cart(Decimal(80), "lea@example.org", customer_id=7)


@pytest.fixture
def ground() -> Ground:
    """An empty store."""
    return make_ground()


def ask(ground: Ground, method: str, path: str, body: Any = None, **params: str) -> tuple[int, Any]:
    """A REST call below /coupons."""
    transport = Transport(inner=httpx2.MockTransport(ground._answer))
    url = f"https://galets.example/wp-json/wc/v3/coupons{path}"
    answer = transport.send("woocommerce", "test", method, url, params=params or None, json=body)
    return answer.status, json.loads(answer.body)


class TestCodes:
    """What a coupon is called."""

    def test_codes_are_lower_cased_and_duplicates_found_whatever_the_case(self, ground: Ground) -> None:
        assert ask(ground, "POST", "", {"code": "BIENVENUE"})[1]["code"] == "bienvenue"
        status, told = ask(ground, "POST", "", {"code": "Bienvenue"})
        assert (status, told["code"]) == (400, "woocommerce_rest_coupon_code_already_exists")

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("x&Y", "x&amp;y"),
            ("x&amp;Y", "x&amp;y"),
            ("x<b>Y</b>", "xy"),
            ("x'Y", "x'y"),
            ('x"Y', 'x"y'),
            ("x\\Y", "xy"),
            (" sp ace ", "sp ace"),
            ("x+y,z", "x+y,z"),
            ("<3", "&lt;3"),
        ],
    )
    def test_a_code_is_kept_as_a_title_is(self, ground: Ground, typed: str, kept: str) -> None:
        told = ask(ground, "POST", "", {"code": typed})[1]
        assert told["code"] == kept
        assert [one["id"] for one in ask(ground, "GET", "", code=typed)[1]] == [told["id"]]

    def test_a_code_of_nothing_is_refused(self, ground: Ground) -> None:
        for code in ("  ", "<b></b>"):
            assert ask(ground, "POST", "", {"code": code})[1]["code"] == "woocommerce_rest_empty_coupon_code"

    @pytest.mark.parametrize("status", ["draft", "pending", "trash"])
    def test_only_published_ones_are_in_the_way_of_a_new_one(self, ground: Ground, status: str) -> None:
        ground.desk.make("deux", status=status)
        assert ask(ground, "POST", "", {"code": "deux"})[0] == 201

    def test_by_code_only_published_ones_are_found_whatever_status_is_asked_for(self, ground: Ground) -> None:
        ground.desk.make("deux", status="draft")
        assert ask(ground, "GET", "", code="deux", status="any") == (200, [])
        ground.desk.make("Trois")
        assert [one["code"] for one in ask(ground, "GET", "", code="TROIS")[1]] == ["trois"]

    def test_another_coupons_code_cannot_be_taken_over_but_its_own_can(self, ground: Ground) -> None:
        first, second = ground.desk.make("un"), ground.desk.make("deux")
        assert ask(ground, "PUT", f"/{second.id}", {"code": "UN"})[0] == 400
        assert ask(ground, "PUT", f"/{first.id}", {"code": "UN"})[0] == 200


class TestDates:
    """When it ends, and when it changed."""

    @pytest.mark.parametrize(
        ("written", "told"),
        [
            ("2026-12-24T10:00:00", "2026-12-24T09:00:00"),
            ("2026-07-24T10:00:00", "2026-07-24T08:00:00"),
            ("2026-12-24T10:00:00Z", "2026-12-24T10:00:00"),
            ("2026-12-24T10:00:00-05:00", "2026-12-24T15:00:00"),
            ("2026-12-24", "2026-12-23T23:00:00"),
            ("31/12/2026", "1969-12-31T23:00:00"),
            ("", None),
        ],
    )
    def test_how_an_end_is_understood(self, ground: Ground, written: str, told: str | None) -> None:
        made = ask(ground, "POST", "", {"code": "fin", "date_expires": written})[1]
        assert made["date_expires_gmt"] == told

    def test_null_is_ignored_an_empty_text_clears(self, ground: Ground) -> None:
        coupon = ground.desk.make("fin", date_expires="2027-01-01T00:00:00Z")
        assert ask(ground, "PUT", f"/{coupon.id}", {"date_expires": None})[1]["date_expires_gmt"] == "2027-01-01T00:00:00"
        assert ask(ground, "PUT", f"/{coupon.id}", {"date_expires": ""})[1]["date_expires_gmt"] is None

    def test_the_gmt_field_is_not_written(self, ground: Ground) -> None:
        coupon = ground.desk.make("fin")
        assert ask(ground, "PUT", f"/{coupon.id}", {"date_expires_gmt": "2027-01-01T00:00:00"})[1]["date_expires_gmt"] is None

    @pytest.mark.parametrize(
        "change",
        [
            {"amount": "9"},
            {"date_expires": "2027-01-01T00:00:00Z"},
            {"usage_limit": 3},
            {"usage_limit_per_user": 1},
            {"email_restrictions": ["a@example.org"]},
            {"minimum_amount": "5"},
            {"free_shipping": True},
        ],
    )
    def test_the_time_of_change_does_not_move_but_an_event_is_sent(self, ground: Ground, change: dict[str, Any]) -> None:
        coupon = ground.desk.make("fin")
        before = ask(ground, "GET", f"/{coupon.id}")[1]["date_modified_gmt"]
        ground.clock[0] += days(1)
        ground.sent.clear()
        assert ask(ground, "PUT", f"/{coupon.id}", change)[1]["date_modified_gmt"] == before
        assert ground.sent == [("coupon.updated", coupon.id)]

    @pytest.mark.parametrize("change", [{"code": "autre"}, {"description": "Mots"}, {"status": "draft"}])
    def test_code_words_and_status_move_it(self, ground: Ground, change: dict[str, Any]) -> None:
        coupon = ground.desk.make("fin")
        ground.clock[0] += days(1)
        ask(ground, "PUT", f"/{coupon.id}", change)
        assert coupon.modified_at == ground.now

    def test_a_list_of_changes_misses_them(self, ground: Ground) -> None:
        coupon = ground.desk.make("fin")
        since = ground.now.strftime("%Y-%m-%dT%H:%M:%S")
        ground.clock[0] += days(1)
        ask(ground, "PUT", f"/{coupon.id}", {"amount": "9"})
        assert ask(ground, "GET", "", modified_after=since, dates_are_gmt="true") == (200, [])
        ask(ground, "PUT", f"/{coupon.id}", {"status": "draft"})
        assert len(ask(ground, "GET", "", modified_after=since, dates_are_gmt="true", status="any")[1]) == 1

    def test_a_bound_with_a_zone_is_site_time_even_beside_the_flag(self, ground: Ground) -> None:
        ground.clock[0] = utc(2026, 11, 21, 12)
        ground.desk.make("fin")
        assert ask(ground, "GET", "", modified_after="2026-11-21T11:30:00Z", dates_are_gmt="true") == (200, [])
        assert len(ask(ground, "GET", "", modified_after="2026-11-21T11:30:00Z")[1]) == 1
        assert len(ask(ground, "GET", "", modified_before="2026-11-21T13:30:00")[1]) == 1


class TestValues:
    """What is altered without a word."""

    def test_an_amount_that_is_no_number_is_nothing(self, ground: Ground) -> None:
        assert ask(ground, "POST", "", {"code": "a", "amount": "dix"})[1]["amount"] == "0.00"
        assert ask(ground, "POST", "", {"code": "b", "amount": "NaN"})[1]["amount"] == "0.00"

    def test_an_amount_may_be_a_number_a_limit_no_word(self, ground: Ground) -> None:
        assert ask(ground, "POST", "", {"code": "a", "amount": 5})[1]["amount"] == "5.00"
        status, told = ask(ground, "POST", "", {"code": "b", "usage_limit": "many"})
        assert (status, told["data"]["params"]) == (400, {"usage_limit": "usage_limit is not of type integer."})

    def test_in_a_batch_nothing_is_looked_at_before(self, ground: Ground) -> None:
        told = ask(ground, "POST", "/batch", {"create": [{"code": "a", "discount_type": "bogo"}]})[1]
        assert told["create"][0]["error"]["code"] == "coupon_invalid_discount_type"

    @pytest.mark.parametrize("body", [{"amount": "-1"}, {"discount_type": "percent", "amount": "100.01"}])
    def test_amounts_out_of_bounds_are_refused(self, ground: Ground, body: dict[str, Any]) -> None:
        status, told = ask(ground, "POST", "", {"code": "a"} | body)
        assert (status, told["code"]) == (400, "coupon_invalid_amount")

    def test_addresses_that_are_none_are_dropped(self, ground: Ground) -> None:
        sent = ["Lea@Example.org", "nobody", "max@host", "*@vip.example"]
        told = ask(ground, "POST", "", {"code": "a", "email_restrictions": sent})[1]
        assert told["email_restrictions"] == ["lea@example.org", "*@vip.example"]

    def test_no_limit_is_null_and_zero_takes_one_away(self, ground: Ground) -> None:
        coupon = ground.desk.make("a", usage_limit=3)
        assert ask(ground, "PUT", f"/{coupon.id}", {"usage_limit": 0})[1]["usage_limit"] is None

    def test_meta_data_is_kept_changed_and_taken_away_by_null(self, ground: Ground) -> None:
        coupon = ground.desk.make("a")
        for value in ("1", "2"):
            told = ask(ground, "PUT", f"/{coupon.id}", {"meta_data": [{"key": "_note", "value": value}]})[1]
            assert [(one["key"], one["value"]) for one in told["meta_data"]] == [("_note", value)]
        assert ask(ground, "PUT", f"/{coupon.id}", {"meta_data": [{"key": "_note", "value": None}]})[1]["meta_data"] == []


class TestLists:
    """What a list shows."""

    def test_only_published_ones_unless_asked_for(self, ground: Ground) -> None:
        for status in ("publish", "draft", "trash"):
            ground.desk.make(f"c-{status}", status=status)
        assert [one["code"] for one in ask(ground, "GET", "")[1]] == ["c-publish"]
        assert [one["code"] for one in ask(ground, "GET", "", status="any", order="asc", orderby="id")[1]] == ["c-publish", "c-draft"]
        assert [one["code"] for one in ask(ground, "GET", "", status="draft,trash", orderby="id")[1]] == ["c-trash", "c-draft"]

    def test_pages_fields_and_numbers(self, ground: Ground) -> None:
        made = [ground.desk.make(code).id for code in numbered("c", 12)]
        assert len(ask(ground, "GET", "")[1]) == 10
        told = ask(ground, "GET", "", per_page="5", page="3", orderby="id", order="asc", _fields="id")[1]
        assert told == [{"id": number} for number in made[10:]]
        assert len(ask(ground, "GET", "", include=f"{made[0]},{made[3]},99999")[1]) == 2

    def test_a_hyphen_before_a_word_excludes_it(self, ground: Ground) -> None:
        ground.desk.make("un", description="Merci beaucoup")
        ground.desk.make("deux", description="merci")
        assert [one["code"] for one in ask(ground, "GET", "", search="merci -beaucoup")[1]] == ["deux"]


class TestBin:
    """Going away, and what is told of it."""

    def test_in_the_bin_it_is_still_shown_by_its_number(self, ground: Ground) -> None:
        coupon = ground.desk.make("a")
        assert ask(ground, "DELETE", f"/{coupon.id}")[1]["status"] == "publish"
        status, told = ask(ground, "GET", f"/{coupon.id}")
        assert (status, told["status"]) == (200, "trash")
        assert {one["key"] for one in told["meta_data"]} == {"_wp_trash_meta_status", "_wp_trash_meta_time", "_wp_desired_post_slug"}
        status, told = ask(ground, "DELETE", f"/{coupon.id}")
        assert (status, told["code"]) == (410, "woocommerce_rest_already_trashed")

    def test_by_rest_a_product_of_that_number_is_said_to_be_deleted_too(self, ground: Ground) -> None:
        coupon = ground.desk.make("a")
        ground.sent.clear()
        ask(ground, "DELETE", f"/{coupon.id}")
        assert ground.sent == [("product.deleted", coupon.id), ("coupon.deleted", coupon.id)]

    def test_in_the_admin_not(self, ground: Ground) -> None:
        coupon = ground.desk.make("a")
        ground.sent.clear()
        ground.desk.trash(coupon.id)
        ground.desk.restore(coupon.id)
        assert ground.sent == [("coupon.deleted", coupon.id), ("coupon.restored", coupon.id)]
        assert coupon.status == "publish"

    @pytest.mark.parametrize("way", ["rest", "batch", "admin"])
    def test_for_good_is_told_only_to_who_listens_to_the_action(self, ground: Ground, way: str) -> None:
        coupon = ground.desk.make("a")
        ground.sent.clear()
        if way == "rest":
            ask(ground, "DELETE", f"/{coupon.id}", force="true")
        elif way == "batch":
            ask(ground, "POST", "/batch", {"delete": [coupon.id]})
        else:
            ground.desk.delete(coupon.id)
        assert ground.sent == [("action.woocommerce_delete_coupon", coupon.id)]
        assert ask(ground, "GET", f"/{coupon.id}")[0] == 404
        assert ground.desk.payload(coupon.id)["code"] == "woocommerce_rest_shop_coupon_invalid_id"

    def test_what_is_not_there_is_404_to_read_and_400_to_change(self, ground: Ground) -> None:
        assert [ask(ground, method, "/99999", {})[0] for method in ("GET", "DELETE", "PUT")] == [404, 404, 400]

    def test_a_batch_takes_a_hundred(self, ground: Ground) -> None:
        status, told = ask(ground, "POST", "/batch", {"create": [{"code": code} for code in numbered("c", 101)]})
        assert (status, told["code"]) == (413, "woocommerce_rest_request_entity_too_large")

    def test_the_admin_sends_two_events_for_a_new_one_rest_one(self, ground: Ground) -> None:
        coupon = ground.desk.make("a")
        other = ask(ground, "POST", "", {"code": "b"})[1]["id"]
        assert ground.sent == [("coupon.created", coupon.id), ("coupon.updated", coupon.id), ("coupon.created", other)]
        with pytest.raises(CouponFault):
            ground.desk.edit(99999, amount="1")


class TestUse:
    """At the checkout."""

    def test_a_use_is_counted_once_and_given_back_without_any_event(self, ground: Ground) -> None:
        coupon = ground.desk.make("a")
        ground.sent.clear()
        before = coupon.modified_at
        ground.clock[0] += days(1)
        for status in ("pending", "processing", "completed"):
            ground.book.note_status(1, status, ["A"], "Lea@example.org")
            assert (coupon.usage_count, coupon.used_by) == (1, ["lea@example.org"])
        ground.book.note_status(2, "on-hold", ["a"], "7")
        assert coupon.used_by == ["lea@example.org", "7"]
        for status in ("cancelled", "trash"):
            ground.book.note_status(1, status, ["a"], "lea@example.org")
        assert (coupon.usage_count, coupon.used_by) == (1, ["7"])
        ground.book.note_status(3, "checkout-draft", ["a"], "7")
        assert (coupon.usage_count, ground.sent, coupon.modified_at) == (1, [], before)

    @pytest.mark.parametrize(
        ("fields", "cart", "words"),
        [
            ({}, GUEST, ""),
            ({"status": "draft"}, GUEST, "does not exist"),
            ({"usage_limit": 1}, GUEST, "has been reached. Please try again after some time, or contact us for help."),
            ({"usage_limit_per_user": 1}, GUEST, "has been reached. Please"),
            ({"usage_limit_per_user": 1}, Cart(Decimal(80), "max@example.org"), ""),
            ({"usage_limit_per_user": 1}, Cart(Decimal(80)), ""),
            ({"usage_limit_per_user": 2}, MEMBER, ""),
            ({"date_expires": "2020-01-01T00:00:00Z"}, GUEST, "has expired"),
            ({"minimum_amount": "80.01"}, GUEST, "minimum spend"),
            ({"minimum_amount": "80"}, GUEST, ""),
            ({"maximum_amount": "79.99"}, GUEST, "maximum spend"),
            ({"email_restrictions": ["max@example.org"]}, GUEST, "valid email at checkout"),
            ({"email_restrictions": ["*@example.org"]}, GUEST, ""),
            ({"email_restrictions": ["lea@example.org"]}, Cart(Decimal(80)), "valid email at checkout"),
        ],
    )
    def test_who_may_use_one(self, ground: Ground, fields: dict[str, Any], cart: Cart, words: str) -> None:
        ground.desk.make("a", **fields)
        ground.book.note_status(1, "processing", ["a"], "lea@example.org")
        found = refusal(ground.book, "A", cart)
        assert words in found
        assert bool(found) == bool(words)

    def test_a_customer_who_used_it_is_told_shortly(self, ground: Ground) -> None:
        ground.desk.make("a", usage_limit_per_user=1)
        ground.book.note_status(1, "processing", ["a"], "7")
        assert refusal(ground.book, "a", MEMBER) == "Usage limit for coupon &quot;a&quot; has been reached."

    def test_until_the_very_second_of_its_end(self, ground: Ground) -> None:
        ground.desk.make("a", date_expires=ground.now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        assert refusal(ground.book, "a", GUEST) == ""
        ground.clock[0] += days(1 / 86_400)
        assert refusal(ground.book, "a", GUEST)

    def test_one_for_individual_use_stands_alone(self, ground: Ground) -> None:
        for code in ("a", "b"):
            ground.desk.make(code)
        ground.desk.make("seul", individual_use=True)
        assert apply_coupon(ground.book, "B", apply_coupon(ground.book, "a", [], GUEST), GUEST) == ["a", "b"]
        assert apply_coupon(ground.book, "seul", ["a", "b"], GUEST) == ["seul"]
        with pytest.raises(CouponRefused, match="in conjunction"):
            apply_coupon(ground.book, "a", ["seul"], GUEST)
        with pytest.raises(CouponRefused, match="already been applied"):
            apply_coupon(ground.book, "a", ["a"], GUEST)

    @pytest.mark.parametrize(
        ("fields", "lines", "off"),
        [
            ({"discount_type": "percent", "amount": "10"}, ["24.90", "8.60"], ["2.49", "0.86"]),
            ({"discount_type": "fixed_cart", "amount": "10"}, ["20", "10"], ["6.67", "3.33"]),
            ({"discount_type": "fixed_cart", "amount": "50"}, ["20", "10"], ["20", "10"]),
            ({"discount_type": "fixed_product", "amount": "5"}, ["20", "3"], ["5", "3"]),
            ({"discount_type": "fixed_cart", "amount": "5"}, ["0"], ["0"]),
        ],
    )
    def test_what_it_takes_off(self, ground: Ground, fields: dict[str, Any], lines: list[str], off: list[str]) -> None:
        ground.desk.make("a", **fields)
        assert discounts(ground.book, ["a", "gone"], [Decimal(line) for line in lines]) == [Decimal(part) for part in off]

    def test_two_never_take_off_more_than_there_is(self, ground: Ground) -> None:
        ground.desk.make("moitie", discount_type="percent", amount="60")
        ground.desk.make("cinq", discount_type="percent", amount="60")
        assert discounts(ground.book, ["moitie", "cinq"], [Decimal(10)]) == [Decimal(10)]
