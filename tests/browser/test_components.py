"""The living page of all components: as it looks, and with nothing but links and forms."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from connector.web.composition import Composition
from tests.browser.conftest import Opens
from tests.browser.kit import HOSTILE, assert_look, assert_looks_right, faults_of
from tests.web.conftest import browser as client_of

URL = "/app/_components"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{URL}?wrong=yes&done=saved", "components"),
        (f"{URL}/lines/2", "components-line"),
        (f"{URL}/removal", "components-removal"),
        ("/nothing-here", "error"),
    ],
)
def test_how_it_looks(path: str, name: str, member_page: Opens) -> None:
    assert_looks_right(member_page, path, name, status=404 if name == "error" else 200)


def test_how_a_table_without_rows_looks(member_page: Opens) -> None:
    assert_looks_right(member_page, f"{URL}?q=zzz", "components-empty", languages=("fr",))


def test_how_the_panel_looks(member_page: Opens) -> None:
    assert_looks_right(
        member_page,
        URL,
        "components-panel",
        prepare=lambda page: page.get_by_role("link", name="camille.martin").click(),
        languages=("fr",),
    )


def test_how_the_dialog_looks(member_page: Opens) -> None:
    assert_looks_right(
        member_page, URL, "components-dialog", prepare=lambda page: page.locator("a[data-dialog]").click(), languages=("en",)
    )


def test_how_the_menu_of_the_frame_looks(member_page: Opens) -> None:
    assert_looks_right(member_page, f"{URL}/removal", "frame-menu", prepare=lambda page: page.locator(".self summary").click())


def test_a_viewer_sees_a_page_for_fewer(member_page: Opens) -> None:
    page = member_page("read_only")
    page.goto(URL)
    expect(page.get_by_role("navigation", name="Pages").get_by_role("link", name="Members")).to_have_count(0)
    assert_look(page, "components-viewer")


@pytest.mark.parametrize("text", HOSTILE)
def test_what_somebody_typed_is_shown_as_text(text: str, member_page: Opens) -> None:
    page = member_page()
    page.goto(URL)
    page.get_by_label("Who").fill(text)
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text(f"No row fits “{text}”.")).to_be_visible()
    page.reload()
    expect(page.get_by_text(f"No row fits “{text}”.")).to_be_visible()
    expect(page.get_by_label("Who")).to_have_value(text)
    assert_look(page, "components-hostile")


def test_without_scripts_links_are_links_and_forms_are_forms(member_page: Opens) -> None:
    page = member_page(java_script_enabled=False)
    page.goto(URL)
    page.get_by_label("Who").fill("léa")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#lines tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Léa Petit").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Léa Petit")
    page.locator(".crumbs a").click()
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newer")).to_be_visible()
    page.get_by_role("link", name="Ask first").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    assert faults_of(page) == []


def test_without_scripts_an_order_is_changed_by_its_buttons(member_page: Opens) -> None:
    page = member_page(java_script_enabled=False)
    page.goto(URL)
    page.get_by_role("button", name="Move Text message up").click()
    page.get_by_role("button", name="Move First e-mail down").click()
    expect(page.locator(".sort .name")).to_have_text(["Text message", "First e-mail", "Wait one day", "Last e-mail"])


def test_without_scripts_one_can_change_language_and_sign_out(member_page: Opens) -> None:
    page = member_page(java_script_enabled=False)
    page.goto(f"{URL}?state=lost")
    page.locator(".self summary").click()
    page.get_by_role("button", name="Français").click()
    assert page.url.endswith(f"{URL}?state=lost")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    page.locator(".self summary").click()
    page.get_by_role("button", name="Se déconnecter", exact=True).click()
    page.goto(URL)
    assert "/sign-in" in page.url


def test_outside_the_sandbox_there_is_no_such_page(make_parts: Callable[..., Composition]) -> None:
    for sandbox, status in ((True, 303), (False, 404)):
        with client_of(make_parts(sandbox=sandbox)) as client:
            assert client.get(URL).status_code == status
