"""The life of an offer: which moves there are, what stops it, what brings it back, what a message must not hold, what a picture shows."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.codes import CodeKind, CodeState, CodeStatus, Restriction
from connector.errors import Refused
from connector.rules.offers import (
    BANNER_HEIGHT,
    BANNER_WIDTH,
    MOVES,
    CodeMode,
    Move,
    OfferFacts,
    OfferState,
    Problem,
    Requirement,
    ShopStanding,
    Storefront,
    Suspension,
    check_move,
    find_problem,
    forecast,
    is_cropped,
    is_given,
    is_shown,
    lacking,
    names_code,
    next_move,
    visible_part,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
GOOD = CodeState("1", NOW, "THANKS10", CodeKind.PERCENTAGE, CodeStatus.ACTIVE, value=Decimal(10))
ACTIVE = OfferFacts(OfferState.ACTIVE)
UNIQUE = OfferFacts(OfferState.ACTIVE, mode=CodeMode.UNIQUE)
FINE = ShopStanding()
CODE_REASONS = [reason for reason in Suspension if reason is not Suspension.REQUIREMENTS]

# From the state of the row to that of the column. Written by hand, from the issue: x is a move, . is none.
TABLE = """
             draft active suspended deactivated deleted
draft          .      x       .          .         x
active         .      .       x          x         x
suspended      .      x       x          x         x
deactivated    .      x       .          .         x
deleted        .      .       .          .         .
"""


def moves_by_hand() -> dict[tuple[OfferState, OfferState], bool]:
    """The table above."""
    head, *lines = (line.split() for line in TABLE.strip().splitlines())
    return {(OfferState(line[0]), OfferState(after)): sign == "x" for line in lines for after, sign in zip(head, line[1:], strict=True)}


def test_every_move_is_allowed_or_refused_as_the_table_says() -> None:
    by_hand = moves_by_hand()
    assert set(by_hand) == set(itertools.product(OfferState, OfferState))
    for (before, after), is_allowed in by_hand.items():
        assert (after in MOVES[before]) is is_allowed, (before, after)
        if is_allowed:
            check_move(before, after)
        else:
            with pytest.raises(Refused, match=f"is {before.value} cannot become {after.value}"):
                check_move(before, after)


def test_an_offer_whose_code_and_store_are_good_has_no_problem() -> None:
    assert find_problem(ACTIVE, GOOD, FINE, NOW) is None
    assert find_problem(UNIQUE, None, FINE, NOW) is None


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (None, Problem(Suspension.CODE_DELETED)),
        (replace(GOOD, status=CodeStatus.EXPIRED), Problem(Suspension.CODE_EXPIRED)),
        (replace(GOOD, ends_at=NOW), Problem(Suspension.CODE_EXPIRED)),
        (replace(GOOD, ends_at=NOW + SECOND), None),
        (replace(GOOD, starts_at=NOW + SECOND), Problem(Suspension.CODE_NOT_STARTED)),
        (replace(GOOD, usage_limit=5, used=5), Problem(Suspension.CODE_USED_UP)),
        (replace(GOOD, kind=CodeKind.OTHER, value=None), Problem(Suspension.UNSUPPORTED_TYPE, "wrong_kind")),
        *((replace(GOOD, restrictions=(one,)), Problem(Suspension.UNSUPPORTED_TYPE, f"restricted_to_{one.value}")) for one in Restriction),
    ],
)
def test_what_became_of_a_shared_code_stops_its_offer(code: CodeState | None, problem: Problem | None) -> None:
    assert find_problem(ACTIVE, code, FINE, NOW) == problem


def test_the_end_that_we_gave_counts_whatever_the_store_says() -> None:
    for facts in (ACTIVE, UNIQUE):
        assert find_problem(replace(facts, ends_at=NOW), GOOD, FINE, NOW) == Problem(Suspension.CODE_EXPIRED)
        assert find_problem(replace(facts, ends_at=NOW + SECOND), GOOD, FINE, NOW) is None
    assert find_problem(replace(ACTIVE, ends_at=NOW, is_being_made=True), None, FINE, NOW) == Problem(Suspension.CODE_EXPIRED)


def test_a_code_that_is_being_made_is_not_taken_for_a_deleted_one() -> None:
    being_made = replace(ACTIVE, is_being_made=True)
    assert find_problem(being_made, None, FINE, NOW) is None
    assert find_problem(being_made, replace(GOOD, ends_at=NOW), FINE, NOW) == Problem(Suspension.CODE_EXPIRED)


def test_what_the_store_refused_for_good_is_told_in_its_words() -> None:
    assert find_problem(replace(ACTIVE, refusal="taken"), GOOD, FINE, NOW) == Problem(Suspension.CODE_REFUSED, "taken")


REQUIREMENTS = [
    (ShopStanding(is_connected=False), Requirement.CONNECTION),
    (ShopStanding(storefront=Storefront.FROZEN), Requirement.SHOP_OPEN),
    (ShopStanding(lacks_scopes=("write_discounts",)), Requirement.SCOPES),
    (ShopStanding(storefront=Storefront.PASSWORD), Requirement.STOREFRONT),
    (ShopStanding(can_send_mail=False), Requirement.SENDER),
]


@pytest.mark.parametrize(("shop", "requirement"), REQUIREMENTS)
def test_each_requirement_that_a_store_does_not_meet_is_named(shop: ShopStanding, requirement: Requirement) -> None:
    assert lacking(shop) == (requirement,)
    assert find_problem(ACTIVE, GOOD, shop, NOW) == Problem(Suspension.REQUIREMENTS, requirement.value)


def test_all_that_is_lacking_is_told_in_the_order_in_which_it_is_mended() -> None:
    everything = ShopStanding(is_connected=False, lacks_scopes=("x",), storefront=Storefront.FROZEN, can_send_mail=False)
    assert [one.value for one in lacking(everything)] == ["connection", "shop_open", "scopes", "sender"]
    assert {requirement for _, requirement in REQUIREMENTS} == set(Requirement)


def test_what_is_wrong_with_the_code_is_told_before_what_the_store_lacks() -> None:
    assert find_problem(ACTIVE, None, ShopStanding(is_connected=False), NOW) == Problem(Suspension.CODE_DELETED)


ANY_PROBLEM = [None, *(Problem(reason) for reason in Suspension)]


@pytest.mark.parametrize("state", [OfferState.DRAFT, OfferState.DEACTIVATED, OfferState.DELETED])
def test_an_offer_that_the_merchant_stopped_or_never_began_goes_nowhere_by_itself(state: OfferState) -> None:
    assert [next_move(state, None, problem) for problem in ANY_PROBLEM] == [None] * len(ANY_PROBLEM)


def test_an_active_offer_is_suspended_by_any_problem_and_by_none_stays() -> None:
    assert next_move(OfferState.ACTIVE, None, None) is None
    for reason in Suspension:
        problem = Problem(reason, "why")
        assert next_move(OfferState.ACTIVE, None, problem) == Move(OfferState.SUSPENDED, problem)


@pytest.mark.parametrize("reason", CODE_REASONS)
def test_a_code_that_is_good_again_brings_no_offer_back(reason: Suspension) -> None:
    assert [next_move(OfferState.SUSPENDED, reason, problem) for problem in ANY_PROBLEM] == [None] * len(ANY_PROBLEM)


def test_what_a_store_lacked_and_has_again_brings_its_offer_back() -> None:
    assert next_move(OfferState.SUSPENDED, Suspension.REQUIREMENTS, None) == Move(OfferState.ACTIVE)
    still = Problem(Suspension.REQUIREMENTS, "scopes")
    assert next_move(OfferState.SUSPENDED, Suspension.REQUIREMENTS, still) is None


@pytest.mark.parametrize("reason", CODE_REASONS)
def test_a_code_that_dies_while_the_store_lacks_something_keeps_its_offer_suspended(reason: Suspension) -> None:
    problem = Problem(reason)
    assert next_move(OfferState.SUSPENDED, Suspension.REQUIREMENTS, problem) == Move(OfferState.SUSPENDED, problem)


@pytest.mark.parametrize("state", list(OfferState))
@pytest.mark.parametrize("reason", [None, *Suspension])
@pytest.mark.parametrize("problem", ANY_PROBLEM)
def test_an_offer_never_moves_by_itself_where_no_move_is(state: OfferState, reason: Suspension | None, problem: Problem | None) -> None:
    move = next_move(state, reason, problem)
    if move is not None:
        check_move(state, move.to)
        assert (move.problem is not None) is (move.to is OfferState.SUSPENDED)


@pytest.mark.parametrize("state", list(OfferState))
def test_only_an_active_offer_without_a_problem_is_given(state: OfferState) -> None:
    assert is_given(state, None) is (state is OfferState.ACTIVE)
    assert not is_given(state, Problem(Suspension.CODE_EXPIRED))


SHOWN_WHILE = {OfferState.ACTIVE, OfferState.SUSPENDED}


@pytest.mark.parametrize("state", list(OfferState))
def test_who_was_given_an_offer_is_shown_it_until_it_is_switched_off(state: OfferState) -> None:
    assert is_shown(state, FINE) is (state in SHOWN_WHILE)


@pytest.mark.parametrize(("shop", "requirement"), REQUIREMENTS)
def test_an_offer_is_hidden_while_nobody_can_buy_or_nobody_knows_its_code(shop: ShopStanding, requirement: Requirement) -> None:
    is_no_matter_of_holders = requirement in (Requirement.SCOPES, Requirement.SENDER)
    assert is_shown(OfferState.ACTIVE, shop) is is_no_matter_of_holders
    assert is_shown(OfferState.SUSPENDED, shop) is is_no_matter_of_holders


@pytest.mark.parametrize(
    ("left", "is_told"),
    [(timedelta(days=3) + SECOND, False), (timedelta(days=3), True), (SECOND, True), (timedelta(0), False), (-SECOND, False)],
)
def test_the_end_of_an_offer_is_forecast_from_three_days_on(left: timedelta, is_told: bool) -> None:
    assert forecast(OfferState.ACTIVE, NOW + left, NOW) == (NOW + left if is_told else None)


def test_no_end_is_forecast_of_what_has_none_or_has_stopped() -> None:
    assert forecast(OfferState.ACTIVE, None, NOW) is None
    for state in set(OfferState) - {OfferState.ACTIVE}:
        assert forecast(state, NOW + SECOND, NOW) is None


@pytest.mark.parametrize(
    ("code", "text", "is_named"),
    [
        ("THANKS10", "Use THANKS10 at the till.", True),
        ("THANKS10", "use thanks10!", True),
        ("thanks10", "THANKS10", True),
        ("THANKS10", "Ｔｈａｎｋｓ１０", True),
        ("THANKS10", "Many thanks: 10 % for you", False),
        ("THANKS10", "THANKS100 and MYTHANKS10", False),
        ("OFF", "20 % off your next order; the coffee is on us", True),
        ("OFF", "the coffee is on us", False),
        ("ÉTÉ-10", "Avec été-10, c’est l’été", True),
        ("ÉTÉ", "l’e\u0301te\u0301 arrive", True),
        ("10%", "Profitez de 10% de remise", True),
        ("A.B", "A-B", False),
        ("A.B", "a.b", True),
        ("", "anything", False),
        ("  ", "anything   at all", False),
    ],
)
def test_the_code_is_found_in_a_text_as_a_word_of_its_own(code: str, text: str, is_named: bool) -> None:
    assert names_code(code, ("Thank you", text)) is is_named


def test_no_text_names_no_code() -> None:
    assert not names_code("THANKS10", ())


@pytest.mark.parametrize(
    ("size", "is_cut"), [((933, 480), False), ((933, 481), True), ((932, 480), True), ((1866, 960), True), ((480, 933), True)]
)
def test_only_a_picture_of_the_banners_size_earns_no_warning(size: tuple[int, int], is_cut: bool) -> None:
    assert is_cropped(*size) is is_cut


@pytest.mark.parametrize(
    ("size", "part"),
    [
        ((933, 480), (0, 0, 933, 480)),
        ((1866, 960), (0, 0, 1866, 960)),
        ((2000, 480), (533, 0, 933, 480)),
        ((933, 1000), (0, 260, 933, 480)),
        ((1, 1000), (0, 499, 1, 1)),
        ((1000, 1), (499, 0, 2, 1)),
    ],
)
def test_of_a_picture_the_middle_is_seen(size: tuple[int, int], part: tuple[int, int, int, int]) -> None:
    assert visible_part(*size) == part


@given(width=st.integers(1, 20_000), height=st.integers(1, 20_000))
def test_what_is_seen_lies_within_the_picture_and_has_the_banners_shape(width: int, height: int) -> None:
    left, top, seen_width, seen_height = visible_part(width, height)
    assert 0 <= left <= left + seen_width <= width
    assert 0 <= top <= top + seen_height <= height
    assert seen_width == width or seen_height == height
    # Within half a pixel of the shape, unless the picture is too thin to have it.
    if min(seen_width, seen_height) > 1:
        wide, high = seen_height * BANNER_WIDTH / BANNER_HEIGHT, seen_width * BANNER_HEIGHT / BANNER_WIDTH
        assert min(abs(wide - seen_width), abs(high - seen_height)) <= 0.5
