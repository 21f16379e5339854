"""The kit itself: what must not happen in a page does not stay unseen."""

import pytest

from tests.browser.axe import grave, violations
from tests.browser.conftest import Opens
from tests.browser.kit import LOOKS, SCREENS, assert_look, assert_looks_right, faults_of

FAULTS = {
    "an inline script": (
        "document.head.append(Object.assign(document.createElement('script'), {textContent: '1'}))",
        "Content Security Policy",
    ),
    "an inline handler": (
        "document.body.insertAdjacentHTML('beforeend', '<i onclick=\"1\">x</i>'); document.body.lastChild.click()",
        "[Ii]nline event handler",
    ),
    "an inline style": ("document.body.insertAdjacentHTML('beforeend', '<i style=\"color:red\">x</i>')", "[Ii]nline style"),
    "a dialog": ("alert('hello')", "dialog: hello"),
    "a broken script": ("setTimeout(() => { throw new Error('broken') })", "script: broken"),
    "an error told": ("console.error('told')", "console: told"),
    "something that is not there": ("fetch('/nothing-here')", "404"),
    "a page that scrolls sideways": ("document.querySelector('main').style.minWidth = '3000px'", "sideways: <main"),
    "a picture without words": (
        "document.querySelector('main').append(Object.assign(new Image(), {src: '/static/icon.svg'}))",
        "image-alt",
    ),
    "the wrong language": ("document.documentElement.lang = 'de'", "the language is de"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_page_fails_for(name: str, visitor_page: Opens) -> None:
    script, said = FAULTS[name]
    page = visitor_page()
    page.goto("/sign-in")
    page.evaluate(f"() => {{ {script} }}")
    page.wait_for_timeout(100)
    with pytest.raises(AssertionError, match=said):
        assert_look(page, "kit")


def test_a_request_to_another_host_is_a_fault(visitor_page: Opens) -> None:
    page = visitor_page(bypass_csp=True)
    page.goto("/sign-in")
    page.evaluate("fetch('http://127.0.0.2:9/').catch(() => null)")
    assert any("another host: http://127.0.0.2:9/" in fault for fault in faults_of(page))


def test_pictures_of_products_come_from_here_and_are_no_fault(visitor_page: Opens) -> None:
    page = visitor_page()
    page.goto("/sign-in")
    show = """url => new Promise((done) => {
      const one = Object.assign(new Image(), {src: url, alt: '', onload: () => done(one.naturalWidth), onerror: () => done(0)});
      document.querySelector('main').append(one);
    })"""
    assert page.evaluate(show, "https://cdn.example/lamp.jpg") == 1
    assert faults_of(page) == []


def test_a_page_that_is_an_error_by_its_own_status_is_no_fault(visitor_page: Opens) -> None:
    page = visitor_page()
    answer = page.goto("/nothing-here")
    assert answer is not None
    assert answer.status == 404
    assert_look(page, "error")


def test_axe_speaks_up_for_what_it_should(visitor_page: Opens, axe: str) -> None:
    page = visitor_page()
    page.goto("/sign-in")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<input><button></button>')")
    assert {one.rule for one in grave(violations(page, axe))} >= {"label", "button-name"}


def test_there_are_eight_looks_and_each_has_its_picture_if_it_is_wanted(visitor_page: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(set(LOOKS)) == 8
    page = visitor_page(language="fr", color_scheme="dark", viewport={"width": 390, "height": 900})
    page.goto("/sign-in")
    picture = SCREENS / "kit-fr-390-dark.png"
    picture.unlink(missing_ok=True)
    monkeypatch.delenv("SCREENS", raising=False)
    assert_look(page, "kit")
    assert not picture.exists()
    monkeypatch.setenv("SCREENS", "1")
    assert_look(page, "kit")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_sign_in_in_place_of_the_page_is_seen(visitor_page: Opens) -> None:
    with pytest.raises(AssertionError) as seen:
        assert_looks_right(visitor_page, "/app/members", "kit-other-page")
    assert seen.traceback[-1].name == "assert_looks_right", "it failed where the page is told apart, not at its looks"
