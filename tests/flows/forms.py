"""Forms of a page as a browser has them: what they would send, which buttons they have, and what a person may choose."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Button:
    """A button that sends a form. `name`, `value`: what it adds."""

    text: str = ""
    name: str = ""
    value: str = ""
    is_disabled: bool = False


@dataclass
class Form:
    """A form with the values it would send as it is, all names that it has, and the values that may be chosen of a name."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    choices: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[Button] = field(default_factory=list)

    def filled(self, button: Button, values: Mapping[str, str | None]) -> dict[str, str]:
        """What this button sends after somebody filled in values; None: a box is not ticked. Nobody can fill in what is not there."""
        assert not button.is_disabled, f"the button “{button.text}” cannot be pressed"
        missing = set(values) - self.names
        assert not missing, f"the form has no fields {sorted(missing)}, but {sorted(self.names)}"
        for name, value in values.items():
            assert value is None or name not in self.choices or value in self.choices[name], (
                f"{name}: {value} is none of {self.choices[name]}"
            )
        sent = {name: value for name, value in (self.fields | dict(values)).items() if value is not None}
        return sent | ({button.name: button.value} if button.name else {})


def read_forms(html: str) -> list[Form]:
    """All forms of a page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.forms


def find_button(html: str, text: str) -> tuple[Form, Button]:
    """The form and the button with these words."""
    found = [(form, button) for form in read_forms(html) for button in form.buttons if text.casefold() in button.text.casefold()]
    assert found, f"no button “{text}”, but {[button.text for form in read_forms(html) for button in form.buttons]}"
    return found[0]


def listed(html: str, name: str, value: str) -> str:
    """The value that may be chosen under this name, as the page writes it: letter case may differ."""
    found = [one for form in read_forms(html) for one in form.choices.get(name, []) if one.casefold() == value.casefold()]
    assert found, f"{value} cannot be chosen"
    return found[0]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._button: Button | None = None
        self._area = ""
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(values.get("action", ""), values.get("method", "get").upper())
            self.forms.append(self._form)
        elif self._form is None:
            return
        elif tag == "button":
            self._button = Button("", values.get("name", ""), values.get("value", ""), "disabled" in values)
            self._form.buttons.append(self._button)
        elif tag == "input":
            self._input(self._form, values)
        elif tag == "textarea":
            self._area = values.get("name", "")
            self._form.names.add(self._area)
            self._form.fields[self._area] = ""
        elif tag == "select":
            self._select = values.get("name", "")
            self._form.names.add(self._select)
        elif tag == "option" and self._select:
            self._form.choices.setdefault(self._select, []).append(values.get("value", ""))
            if "selected" in values or self._select not in self._form.fields:
                self._form.fields[self._select] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "button":
            self._button = None
        elif tag == "textarea":
            self._area = ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._button is not None:
            self._button.text = " ".join(f"{self._button.text} {data}".split())
        elif self._area and self._form is not None:
            self._form.fields[self._area] += data

    def _input(self, form: Form, values: Mapping[str, str]) -> None:
        kind, name = values.get("type", "text"), values.get("name", "")
        if kind == "submit":
            form.buttons.append(Button(values.get("value", ""), name, values.get("value", ""), "disabled" in values))
        elif name and "disabled" not in values:
            form.names.add(name)
            if kind == "radio":
                form.choices.setdefault(name, []).append(values.get("value", "on"))
            if kind not in {"checkbox", "radio"}:
                form.fields[name] = values.get("value", "")
            elif "checked" in values:
                form.fields[name] = values.get("value", "on")
