"""Merchants' templates: what is refused at save time, what can never happen at render time."""

import json
import subprocess
import sys
from dataclasses import asdict

import pytest

from connector.messages import engine
from connector.messages.checks import MAX_DEPTH, MAX_SOURCE, MAX_TAGS
from connector.messages.templates import CompiledTemplate, TemplateError, compile_template, render

PAGE = "<mjml><mj-body><mj-section><mj-column>\n{}\n</mj-column></mj-section></mj-body></mjml>"
VARIABLES = {
    "name": "Zoë <b>& Co</b> \"x\" 'y'",
    "items": ["a", "b", "c"],
    "count": 3,
    "none": None,
    "yes": True,
    "long": "ü" * 9_000,
    "link_url": "https://shop.example/?a=1&b=2",
    "lines": [{"title": "Bowl"}, {"title": "<Vase>"}],
}


def html_of(body: str) -> str:
    return render(compile_template("s", PAGE.format(body), "t"), VARIABLES).html


def text_of(source: str) -> str:
    return render(compile_template("s", PAGE.format("<mj-text>x</mj-text>"), source), VARIABLES).text


def refusal(subject: str = "s", body: str = "<mj-text>x</mj-text>", text: str = "t", mjml: str | None = None) -> str:
    """The message with which a template is refused, at save time."""
    with pytest.raises(TemplateError) as caught:
        compile_template(subject, mjml if mjml is not None else PAGE.format(body), text)
    return str(caught.value)


def failure(text: str) -> str:
    """The message with which a template that was saved fails to be filled."""
    compiled = compile_template("s", PAGE.format("<mj-text>x</mj-text>"), text)
    with pytest.raises(TemplateError) as caught:
        render(compiled, VARIABLES)
    return str(caught.value)


def test_a_compiled_template_survives_storage_as_json() -> None:
    compiled = compile_template("Hi {{ name }}", PAGE.format("<mj-text>{{ name }}</mj-text>"), "{{ name }}")
    restored = CompiledTemplate(**json.loads(json.dumps(asdict(compiled))))
    assert restored == compiled
    assert render(restored, VARIABLES) == render(compiled, VARIABLES)


def test_values_are_escaped_in_html_and_only_there() -> None:
    rendered = render(compile_template("{{ name }}", PAGE.format("<mj-text>{{ name }}</mj-text>"), "{{ name }}"), VARIABLES)
    assert "Zoë &lt;b&gt;&amp; Co&lt;/b&gt; &quot;x&quot; &#x27;y&#x27;" in rendered.html
    assert rendered.subject == VARIABLES["name"]
    assert rendered.text == f"{VARIABLES['name']}\n"


def test_literals_are_escaped_too_and_the_escape_filter_does_not_escape_twice() -> None:
    assert "l&#x27;ami" in html_of("""<mj-text>{{ none | default: "l'ami" }}</mj-text>""")
    html = html_of("<mj-text>{{ lines.last.title | escape }}</mj-text>")
    assert "&lt;Vase&gt;" in html
    assert "&amp;lt;" not in html


def test_liquid_works_between_and_inside_mjml_elements() -> None:
    body = (
        "<mj-raw>{% for line in lines %}</mj-raw><mj-text>{{ forloop.index }}:{{ line.title }}</mj-text><mj-raw>{% endfor %}</mj-raw>"
        '<mj-button href="{{ link_url }}">Go</mj-button>'
    )
    html = html_of(body)
    assert "1:Bowl" in html
    assert "2:&lt;Vase&gt;" in html
    assert 'href="https://shop.example/?a=1&amp;b=2"' in html


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ 'abC' | upcase }}{{ 'ABc' | downcase }}{{ 'ab' | capitalize }}", "ABCabcAb"),
        ("[{{ ' a ' | strip }}]{{ 'b' | append: 'c' | prepend: 'a' }}{{ 'x' | append }}", "[a]abcx"),
        ("{{ 'one two three' | truncate: 8 }}|{{ 'short' | truncate }}|{{ 'abcdef' | truncate: 3, '' }}", "one two…|short|abc"),
        ("{{ 'one two three' | truncatewords: 2 }}|{{ 'one two' | truncatewords }}", "one two…|one two"),
        ("{{ none | default: 'x' }}{{ count | default: 'x' }}{{ '' | default }}", "x3"),
        ("{{ items | join: ', ' }} {{ items | first }}{{ items | last }}{{ items | size }}{{ 'abcd' | size }}", "a, b, c ac34"),
        ("{{ count | plus: 2 | minus: 1 }} {{ yes }} {{ none }}!", "4 true !"),
        ("{% if count > 2 %}many{% elsif yes %}-{% else %}few{% endif %}{% unless yes %}no{% endunless %}", "many"),
        ("{% case count %}{% when 3 %}three{% else %}other{% endcase %}", "three"),
        ("{% for i in (1..9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i > 4 %}{% break %}{% endif %}{{ i }}{% endfor %}", "134"),
        ("{% for i in items reversed %}{{ i }}{% else %}none{% endfor %}{% for i in none %}{% else %}empty{% endfor %}", "cbaempty"),
        ("{% for i in link_url %}{{ i }}{% endfor %}", "https://shop.example/?a=1&b=2"),
    ],
)
def test_the_offered_tags_and_filters_do_what_their_names_say(source: str, expected: str) -> None:
    assert text_of(source) == f"{expected}\n"


def test_first_and_last_of_an_empty_list_are_empty() -> None:
    compiled = compile_template("s", PAGE.format("<mj-text>x</mj-text>"), "[{{ l | first }}{{ l | last }}]{{ l | default: 'none' }}")
    assert render(compiled, {"l": []}).text == "[]none\n"


def test_a_subject_is_one_line_of_bounded_length() -> None:
    compiled = compile_template("a\r\nBcc: x@evil.example {{ name }}\x00", PAGE.format("<mj-text>x</mj-text>"), "t")
    subject = render(compiled, {"name": "b\nc\u2028d\x85e" + "f" * 500}).subject
    assert subject.startswith("a Bcc: x@evil.example b cd e")
    assert "\n" not in subject
    assert "\r" not in subject
    assert len(subject) == 200


def test_plain_text_has_no_ragged_empty_lines() -> None:
    assert text_of("a  \n\n\n\n{% if yes %}\nb{% endif %}\n\n") == "a\n\nb\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("one\n{{ name | shout }}", "text, line 2: there is no filter 'shout' here"),
        ("{% include 'x' %}", "text, line 1: there is no tag 'include' here"),
        ("{% render 'x' %}", "no tag 'render'"),
        ("{% assign a = 1 %}", "no tag 'assign'"),
        ("{% capture a %}{% endcapture %}", "no tag 'capture'"),
        ("{% raw %}{{ {% endraw %}", "no tag 'raw'"),
        ("{% %}", "no tag ''"),
        ("\n\n{{ name", "text, line 3: '{{' is not closed"),
        ("{{ name {{ name }}", "text, line 1: '{{' is not closed"),
        ("{% if yes {{ name }} %}", "'{%' is not closed"),
        ("{{ '" + "x" * 300 + "' }}", "within 200 characters"),
        ("{{ name" + " " * 50 + "}}", "too many spaces"),
        ("{% if yes %}", "text"),
        ("{{ 'a' 'b' }}", "text, line 1"),
        ("{% break %}x{% endfor %}", "text"),
        ("{{ (1..3) }}", "text, line 1: a range such as (1..3)"),
        ("{{ (1..1000000000) | join: ',' }}", "a range such as (1..3)"),
        ("{% if (1..9) contains 3 %}{% endif %}", "a range such as (1..3)"),
        ("{% for i in items limit: (1..3) %}{% endfor %}", "a range such as (1..3)"),
        ("{% for i in (1..(2..3)) %}{% endfor %}", "a range such as (1..3)"),
        ("{% for i in 'javascript:alert(1)' %}{{ i }}{% endfor %}", "'for' goes over a list or a range"),
        ("{% if yes %}" * 20 + "{% endif %}" * 20, "block nesting limit"),
        ("x" * (MAX_SOURCE + 1), "text: longer than 60000 characters"),
        ("{{ name }}" * 1_001, "text: more than 1000 variables and tags"),
    ],
)
def test_unusable_liquid_is_refused_at_save_time_with_its_place(source: str, message: str) -> None:
    assert message in refusal(text=source)


def test_a_mistake_in_the_subject_is_called_one() -> None:
    assert refusal(subject="{{ x | y }}").startswith("subject, line 1: there is no filter 'y'")


def test_a_text_that_holds_two_dots_is_no_range() -> None:
    assert text_of("{{ none | default: 'wait..' }}") == "wait..\n"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('<mj-include path="/etc/passwd"/>', "MJML, line 2: mj-include is not available"),
        ('<MJ-Include path="/etc/passwd"></MJ-Include>', "mj-include is not available"),
        ("<mj-raw>\n<script>alert(1)</script></mj-raw>", "MJML, line 3: <script> is not available"),
        ("<mj-raw><!--><script>alert(1)</script><!-- --></mj-raw>\n<mj-text><b>x</mj-text>", "MJML, line 3: </mj-text> closes nothing"),
        ('<mj-raw><iframe src="https://x.example"></iframe></mj-raw>', "<iframe> is not available"),
        ('<mj-raw><svg onload="x"/></mj-raw>', "<svg> is not available"),
        ('<mj-raw><form action="https://x.example"></form></mj-raw>', "<form> is not available"),
        ('<mj-raw><base href="https://x.example/"/></mj-raw>', "<base> is not available"),
        ('<mj-raw><meta http-equiv="Refresh" content="0"/></mj-raw>', "refresh"),
        ('<mj-text><b onclick="x()">a</b></mj-text>', "MJML, line 2: the attribute 'onclick' of <b>"),
        ('<mj-text><a href="javascript:x()">a</a></mj-text>', "MJML, line 2: the href of <a> must start with"),
        ('<mj-button href=" JavaScript:x()">a</mj-button>', "the href of <a> must start with"),
        ('<mj-button href="data:text/html,x">a</mj-button>', "the href of <a> must start with"),
        ('<mj-button href="{{ name }}">a</mj-button>', "one variable whose name ends in _url"),
        ("<mj-button href=\"{{ 'javascript:x' }}\">a</mj-button>", "one variable whose name ends in _url"),
        ("<mj-button href=\"{{ none | default: 'javascript:x_url' }}\">a</mj-button>", "one variable whose name ends in _url"),
        ('<mj-text><img src="{{ name }}"/></mj-text>', "the src of <img>"),
        ('<mj-text css-class="a--><script>x</script>">a</mj-text>', "MJML, line 2"),
        ("<mj-picture/>", "<mj-picture> is not available"),
        ("<mj-text>a<br>b</mj-text>", "MJML, line 2: </mj-text> closes nothing; <br> of line 2 is still open"),
        ("<mj-text>a < b</mj-text>", "MJML, line 2: '< b</mj-text>' is not a complete tag"),
        ("<mj-text><b class=x>a</b></mj-text>", "attributes need quotes"),
        ('<mj-text><b class="{{ name | default: "x" }}">a</b></mj-text>', "attributes need quotes"),
        ("<mj-text><{{ name }}>a</mj-text>", "is not a complete tag"),
        ("<mj-text>{% if 1 < count %}a{% endif %}</mj-text>", "'<' cannot stand inside Liquid in MJML"),
        ('<mj-spacer colour="{{ name }}"/>', "MJML, line 2: {{ name }} stands where it would be lost or changed"),
        ("<mj-text><b title='{{ \"x\" }}'>a</b></mj-text>", "the attribute 'x"),
        ("<mj-text>a</mj-text></mj-column>", "MJML, line 3: </mj-column> closes nothing; <mj-section> of line 1 is still open"),
        ("<!-- x", "MJML, line 2: the comment is not closed"),
        ("<![CDATA[x]]>", "is not a complete tag"),
        ("<mj-text>{% for i in items %}{{ i | loud }}{% endfor %}</mj-text>", "MJML, line 2: there is no filter 'loud'"),
        ("<mj-text>{% render 'x' %}</mj-text>", "MJML, line 2: there is no tag 'render'"),
    ],
)
def test_unusable_markup_is_refused_at_save_time_with_its_place(body: str, message: str) -> None:
    assert message in refusal(body=body)


@pytest.mark.parametrize(
    ("mjml", "message"),
    [
        ("", "MJML: "),
        ("hello", "MJML: "),
        ("<mjml><mj-body>", "MJML, line 1: <mj-body> is never closed"),
        ("</mjml>", "MJML, line 1: </mjml> closes nothing"),
        ("<html></html>", "MJML: "),
        ("<mjml><mj-body>" + "<mj-spacer/>" * MAX_TAGS + "</mj-body></mjml>", f"more than {MAX_TAGS} tags"),
        ("<mjml><mj-body>" + "<mj-wrapper>" * MAX_DEPTH + "</mj-wrapper>" * MAX_DEPTH + "</mj-body></mjml>", f"{MAX_DEPTH} levels"),
        ("<mjml><mj-body>" + '<mj-section border-radius="1px"/>' * 600 + "</mj-body></mjml>", "characters of HTML"),
        ("<" * 50_000, "is not a complete tag"),
        ("<!--" * 12_000, "the comment is not closed"),
        ("<mjml " + " " * 50_000, "is not a complete tag"),
    ],
)
def test_documents_that_are_no_mjml_or_too_much_of_it_are_refused(mjml: str, message: str) -> None:
    assert message in refusal(mjml=mjml)


def test_comments_never_reach_the_reader_and_lines_keep_their_numbers() -> None:
    assert "secret" not in html_of("<mj-text>a<!-- secret\n --></mj-text>")
    assert refusal(body="<!-- a\nb\n--><mj-text>a<br>b</mj-text>").startswith("MJML, line 4:")


def test_mrml_would_die_of_the_nesting_we_refuse() -> None:
    """The reason for MAX_DEPTH: without the check one merchant's text ends the process for all shops."""
    nested = "'<mjml><mj-body>' + '<mj-section><mj-column>' * 20_000 + '</mj-column></mj-section>' * 20_000 + '</mj-body></mjml>'"
    died = subprocess.run([sys.executable, "-c", f"import mrml; mrml.to_html({nested})"], check=False, capture_output=True)
    assert died.returncode != 0


@pytest.mark.parametrize(
    "source",
    [
        "{" * 60_000,
        "{{" * 30_000,
        "{%" * 30_000,
        "{{-" * 20_000,
        "{% raw %}" * 6_000,
        "{% comment %}" * 4_000,
        "{{" + " " * 59_000,
        "{{ a[" * 10_000,
        "{% for i in (1..9) %}" * 900,
    ],
)
def test_no_source_keeps_the_lexer_busy(source: str) -> None:
    with pytest.raises(TemplateError):
        compile_template("s", PAGE.format("<mj-text>x</mj-text>"), source)


@pytest.mark.parametrize("source", ["}}" * 30_000, "{ { " * 15_000, "%} " * 20_000, "{ %" * 20_000, " " * 60_000])
def test_a_long_source_without_liquid_is_just_text(source: str) -> None:
    assert text_of(source).strip() == source.strip()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ nothing }}", "text, line 1: 'nothing' is undefined"),
        ("{% if nothing %}x{% endif %}", "'nothing' is undefined"),
        ("{{ nothing | default: 'x' }}", "'nothing' is undefined"),
        ("{{ lines.first.nothing }}", "nothing"),
        ("\n{{ lines }}", "text, line 2: this is a list or an object"),
        ("{{ lines | upcase }}", "this is a list or an object"),
        ("{{ now }}", "this is a list or an object"),
        ("{{ name.__class__ }}", "__class__"),
        ("{{ name | join: ',' }}", "this filter works on lists"),
        ("{{ name | plus: 1 }}", "a whole number is needed"),
        ("{{ yes | plus: 1 }}", "a whole number is needed"),
        ("{{ 999999999999999 | plus: 1 }}", "a whole number is needed"),
        ("{{ 'abc' | truncate: 'x' }}", "a whole number is needed"),
        ("{{ name | upcase: 1, 2 }}", "upcase"),
        ("{% break %}", "unexpected 'break'"),
        ("{{ long | append: long }}", "a text grew beyond 10000 characters"),
        ("{{ long | prepend: long }}", "a text grew beyond 10000 characters"),
        ("{{ items | join: long }}", "a text grew beyond 10000 characters"),
        ("{{ name" + " | append: long" * 12 + " }}", "a text grew beyond 10000 characters"),
        ("{% for i in (1..1000000000) %}{% endfor %}", "too much work in loops"),
        ("{% for i in (1..1000000000) reversed %}{% endfor %}", "too much work in loops"),
        ("{% for i in (1..1000000000) offset: 999999990 %}{% endfor %}", "too much work in loops"),
        ("{% for i in (1..99999999999999999999999) %}{% endfor %}", "too much work in loops"),
        ("{% for i in (1..900) %}{% for j in (1..900) %}{% endfor %}{% endfor %}", "loop"),
        ("{% for i in (1..9000) %}{% if yes %}{{ name | upcase | downcase | upcase }}{% endif %}{% endfor %}", "too much work in loops"),
        ("{% for i in (1..900) %}{{ name | upcase }}{% endfor %}" * 100, "too much work in loops"),
        ("{% for i in (1..900) %}{{ long }}{% endfor %}", "output stream limit"),
        ("{{ long }}" * 900, "output stream limit"),
    ],
)
def test_no_bomb_goes_off_it_only_fails_its_own_message(source: str, message: str) -> None:
    assert message in failure(source)


def test_the_work_of_one_message_is_not_charged_to_the_next() -> None:
    compiled = compile_template("s", PAGE.format("<mj-text>x</mj-text>"), "{% for i in (1..9000) %}{% if none %}{% endif %}{% endfor %}")
    for _ in range(3):
        assert render(compiled, VARIABLES).text == "\n"


def test_values_that_cannot_be_encoded_fail_as_a_template_error() -> None:
    compiled = compile_template("s", PAGE.format("<mj-text>x</mj-text>"), "{{ name }}")
    with pytest.raises(TemplateError, match="cannot be filled"):
        render(compiled, {"name": "\ud800"})


def test_surrogates_and_control_characters_in_a_template_are_dropped() -> None:
    assert text_of("a\ud800\x07b\r\nc") == "ab\nc\n"


@pytest.mark.parametrize("error", [RecursionError, ValueError])
def test_a_parser_that_gives_up_is_a_refusal(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(source: str, escapes: bool) -> None:
        raise error

    monkeypatch.setattr(engine, "_parse", give_up)
    with pytest.raises(TemplateError, match="text: cannot be read"):
        engine.parse("x", "text", escapes=False)
