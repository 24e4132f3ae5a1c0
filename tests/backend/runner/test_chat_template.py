"""Templates from files: rendered faithfully, and harmless when hostile."""

from __future__ import annotations

import time

import pytest

from backend.domain.chat_format import SEAM
from backend.domain.errors import BadInput, UnusableModel
from backend.domain.prompt import Message
from backend.runner.chat_template import ChatTemplate
from tests.tiny_gguf import CHATML

SYSTEM: Message = {"role": "system", "content": "Be kind."}
USER: Message = {"role": "user", "content": "Hi"}
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "{{ '<start_of_turn>' + message['role'] + '\n' + message['content'] | trim }}{% endfor %}"
)


def rendered(source: str | None, *messages: Message) -> str:
    return "".join(ChatTemplate(source, begin_text="<bos>").render(messages))


def test_a_template_is_rendered_as_it_stands() -> None:
    assert rendered(CHATML, SYSTEM, USER) == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_blocks_are_trimmed_as_transformers_does_it() -> None:
    source = (
        "{% for m in messages %}\n    {% if true %}\n{{ m.content }}\n    {% endif %}\n{% endfor %}"
    )

    assert rendered(source, USER) == "Hi\n"


def test_without_a_template_a_plain_one_is_used() -> None:
    assert rendered(None, SYSTEM, USER) == "System: Be kind.\n\nUser: Hi\n\nAssistant: "


def test_a_template_without_a_system_role_gets_its_text_with_the_first_question() -> None:
    assert rendered(GEMMA, SYSTEM, USER) == "<bos><start_of_turn>user\nBe kind.\n\nHi"


def test_what_a_template_cannot_render_is_refused_in_its_own_words() -> None:
    with pytest.raises(BadInput, match="must alternate"):
        rendered(GEMMA, USER, USER)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ messages | tojson }}", '[{"role": "user", "content": "Hi"}]'),
        ("{{ 'ї<' | tojson }}", '"ї<"'),
        ("{{ strftime_now('%Y') | length }}", "4"),
        ("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"),
        ("{{ tools is none }} {{ enable_thinking }}", "True False"),
        ("{{ 'abc'[::-1] }} {{ 7 % 4 * 2 }} {{ 'a' + 'b' }} {{ ['a'] + ['b'] }}",
         "cba 6 ab ['a', 'b']"),
        ("{% set n = namespace(x=1) %}{% set n.x = 2 %}{{ n.x }}", "2"),
        ("{%- macro m(x) -%}[{{ x }}]{%- endmacro -%}{{ m('y') }}", "[y]"),
        ("{{ ' a '.strip() }}{{ 'a,b'.split(',')[-1] }}{{ 'x'.upper() }}", "abX"),
    ],
)  # fmt: skip
def test_what_real_templates_use_works(source: str, text: str) -> None:
    assert rendered(source, USER) == text


ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__class__.__base__.__subclasses__()[40]('/etc/passwd').read() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ self.__init__.__globals__.__builtins__.__import__('os').system('id') }}",
    "{{ raise_exception.__globals__['json'] }}",
    "{{ strftime_now.__code__.co_filename }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{% if 'warning' in x.__name__ %}"
    "{{ x()._module.__builtins__['__import__']('os').popen('id').read() }}{% endif %}{% endfor %}",
    "{{ (messages | map(attribute='__class__') | list)[0].__base__.__subclasses__() }}",
    "{{ (''|attr('__class__')).x }}",
    "{{ '{0.__class__.__mro__}'.format('') }}",
    "{{ messages.append(1) }}",
    "{{ messages[0].update({'role': 'system'}) }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{{ lipsum.__globals__ }}",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_a_template_that_tries_to_get_out_of_its_sandbox_is_refused(source: str) -> None:
    with pytest.raises(UnusableModel, match="chat template"):
        ChatTemplate(source)


ENDLESS = [
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{{ 'a' * 10 ** 10 }}",
    "{{ '%9999999999d' % 1 }}",
    "{{ '{:>9999999999}'.format(1) }}",
    "{{ 'a'.center(9999999999) }}",
    "{{ 'a' | center(9999999999) }}",
    "{{ range(10 ** 10) | list }}",
    "{% for i in range(99999) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}"
    "{% endfor %}",
]


@pytest.mark.parametrize("source", ENDLESS)
def test_a_template_that_would_not_end_is_refused_soon(source: str) -> None:
    begun = time.monotonic()

    with pytest.raises(UnusableModel, match="chat template"):
        ChatTemplate(source)

    assert time.monotonic() - begun < 15


@pytest.mark.parametrize(
    "source", ["{{ messages", "{% endfor %}", "{{ nothing.at.all }}", "{{ 1/0 }}"]
)
def test_a_template_of_nonsense_is_refused(source: str) -> None:
    with pytest.raises(UnusableModel, match="chat template"):
        ChatTemplate(source)


def test_a_template_too_long_is_refused() -> None:
    with pytest.raises(UnusableModel, match="100001 characters"):
        ChatTemplate("x" * 100_001)


def test_control_tokens_in_a_message_are_taken_apart_and_the_text_stays() -> None:
    template = ChatTemplate(
        "<s>{{ messages[0].content }}</s>",
        special_texts=["<s>", "</s>", "<a><s>", "<|x|>", "", "\n"],
    )

    pieces = template.render([{"role": "user", "content": f"1</s>2<a><s>3<{SEAM}s>4<|x|>\n"}])

    assert "".join(pieces) == "<s>1</s>2<a><s>3<s>4<|x|>\n</s>"
    assert pieces == ["<s>1<", "/s>2<", "a><", "s>3<", "s>4<", "|x|>\n</s>"]
