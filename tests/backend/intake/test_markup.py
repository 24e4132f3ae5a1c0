"""HTML to text: what a reader sees stays, and no markup is too hostile."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.intake.html import looks_like_html, text_of_html


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hello<br>you", "Hello\nyou"),
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<div>One</div><div>Two</div><div><br></div><div>Three</div>", "One\nTwo\n\nThree"),
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ("<ol><li>a</li><li>b<ul><li>c</li></ul></li></ol>", "1. a\n2. b\n  - c"),
        (
            'See <a href="https://x.example/a">this page</a>.',
            "See this page (https://x.example/a).",
        ),
        ('<a href="https://x.example/">x.example</a>', "x.example"),
        ('<a href="javascript:alert(1)">press</a>', "press"),
        ("<h1>Top</h1><h3>Low</h3>text", "## Top\n\n### Low\n\ntext"),
        ("Run <code>pip list</code> now", "Run `pip list` now"),
        ("<pre>if x:\n    y = 1\n\nz</pre>", "if x:\n    y = 1\n\nz"),
        (
            "<table><tr><td>A</td><td>B</td></tr><tr><td>1</td><td>2</td></tr></table>",
            "A | B\n1 | 2",
        ),
        ("<blockquote>old<br>words</blockquote>new", "> old\n> words\n\nnew"),
        ("a&nbsp;&amp;&lt;b&gt; c", "a &<b> c"),
        ("<style>p{}</style><script>x()</script><title>t</title>shown", "shown"),
        ('<div style="display:none">preheader</div>shown', "shown"),
        ("one<b>two</b> <i>three</i>\n  four", "onetwo three four"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ('Hi<div class="gmail_signature">Ana, CEO</div>', "Hi"),
        ("<p>Привіт, <b>світе</b>!", "Привіт, світе!"),
        ("", ""),
        ("<img src=x>", ""),
        ("plain < 5 and > 3", "plain < 5 and > 3"),
    ],
)
def test_what_a_reader_sees_stays(source: str, text: str) -> None:
    assert text_of_html(source) == text


@pytest.mark.parametrize(
    "source",
    [
        "<div>" * 100_000 + "x",
        "<blockquote>" * 50_000 + "x",
        "<p>a<table><tr><td>b<li>x" * 20_000,
        "<b><i>" * 50_000 + "x",
        "x" + "<a " * 500_000,
        "x" + "<" * 2_000_000,
        "x" + "<!--" * 500_000,
        "<ul><li>" * 2_000 + "x<br>" * 2_000,
        "<p>Hello <b>world</b> with words &amp; things</p>\n" * 80_000,
    ],
    ids=[
        "divs",
        "quotes",
        "unclosed",
        "inline",
        "attribute",
        "angles",
        "comments",
        "lists",
        "5 MB",
    ],
)
def test_hostile_markup_takes_seconds_at_most_and_keeps_words(source: str) -> None:
    start = time.thread_time()

    text = text_of_html(source)

    assert time.thread_time() - start < 10
    assert any(character.isalnum() for character in text)
    assert len(text) < 40_000_000


words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)


@given(
    st.lists(words, min_size=1, max_size=6), st.sampled_from(["p", "div", "li", "td", "h2", "b"])
)
def test_no_word_is_lost_whatever_stands_around_it(said: list[str], tag: str) -> None:
    source = "".join(f"<{tag}>{words}</{tag}> " for words in said)

    assert (
        text_of_html(source).replace("-", " ").replace("#", " ").replace("|", " ").split() == said
    )


@given(st.text(alphabet="<>/=\"'&;ab pdivblockquote\n!-", max_size=300))
def test_no_markup_raises(source: str) -> None:
    text = text_of_html(source)

    assert text == text.strip("\n")
    assert "\n\n\n" not in text or "pre" in source


@pytest.mark.parametrize(
    ("text", "markup"),
    [("<div>x</div>", True), ("a<br>b", True), ("5 < 6 > 2", False), ("<ana@x.example>", False)],
)
def test_markup_is_told_from_text(text: str, markup: bool) -> None:
    assert looks_like_html(text) is markup
