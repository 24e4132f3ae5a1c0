"""The errors: the tree in the docstring is the tree in the code."""

from __future__ import annotations

import inspect
import re

import pytest

from backend.domain import errors

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__
]


def _drawn() -> dict[str, str]:
    """Each error of the docstring's tree, and the one above it."""
    parents: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│├└─ ]*)([A-Z]\w+(?:, [A-Z]\w+)*)", line)
        if found:
            depth = len(found.group(1)) // 4
            for name in found.group(2).split(", "):
                above[depth:] = [name]
                parents[name] = above[depth - 1] if depth else "Exception"
    return parents


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    assert _drawn() == {kind.__name__: kind.__bases__[0].__name__ for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_the_products_and_says_its_sentence(kind: type[Exception]) -> None:
    assert issubclass(kind, errors.ProductError)
    assert str(kind("What is so. What to do.")) == "What is so. What to do."


def test_what_is_worth_another_try_passes_by_itself() -> None:
    assert set(errors.WORTH_ANOTHER_TRY) == {
        errors.EngineUnreachable,
        errors.EngineTimeout,
        errors.EngineBusy,
    }


def test_what_a_caller_may_act_on_is_carried_along() -> None:
    long = errors.PromptTooLong("Too long.", prompt_tokens=900, context_tokens=512)
    assert (long.prompt_tokens, long.context_tokens) == (900, 512)
    for kind in (errors.QueueFull, errors.EngineBusy, errors.ZohoThrottled):
        assert kind("Wait.", retry_after_seconds=7).retry_after_seconds == 7
        assert str(kind("Wait.", retry_after_seconds=7)) == "Wait."
