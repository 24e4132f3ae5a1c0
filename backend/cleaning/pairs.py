"""A conversation → the question a customer asked and the answer that settled it, or why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.cleaning.conversation import Conversation, Message
from backend.cleaning.turns import has_words, is_pleasantry, is_question_back, is_satisfied

NO_QUESTION = "without a question"
UNANSWERED = "unanswered"
ONLY_AUTOMATIC = "answered by a machine only"
ONLY_ASKED_BACK = "only asked back"
UNSETTLED = "open, and the customer wrote last"
PLEASANTRIES = "answered with thanks only"


@dataclass(frozen=True)
class Pair:
    """What was asked (without the subject) and what settled it."""

    question: str
    answer: str


def pair_of(conversation: Conversation) -> Pair | str:
    """The pair in a conversation, or the reason why there is none.

    The question is all that the customer wrote before the first answer of a person; a question
    asked back is no answer, so what it brought to light belongs to the question. The answer is
    the agent's last one before the customer was satisfied, else the last one at all. Without any,
    the record's own solution counts.
    """
    if conversation.refused:
        return conversation.refused
    messages = [one for one in conversation.messages if one.who != "machine"]
    asked = [one for one in messages if one.who == "customer"]
    if not asked and not has_words(conversation.subject):
        return ONLY_AUTOMATIC if conversation.messages and not messages else NO_QUESTION
    if not conversation.messages and not conversation.solution:
        return NO_QUESTION if not has_words(conversation.subject) else UNANSWERED
    answers = _answers(messages)
    if isinstance(answers, str):
        return _by_record(conversation, asked, answers)
    first, last = answers
    question = _joined([one for one in messages[:first] if one.who == "customer"])
    if not question and not has_words(conversation.subject):
        return NO_QUESTION
    if _unsettled(conversation, messages, last):
        return UNSETTLED
    return Pair(question, _joined(_burst(messages, last)))


def _answers(messages: Sequence[Message]) -> tuple[int, int] | str:
    """Where the first answer stands and the one that settled it, or why there is none."""
    start = next((place for place, one in enumerate(messages) if one.who == "customer"), 0)
    written = [place for place in range(start, len(messages)) if messages[place].who == "agent"]
    if not written:
        return UNANSWERED
    answers = [place for place in written if not is_question_back(messages[place].text)]
    useful = [place for place in answers if not is_pleasantry(messages[place].text)]
    if not useful:
        return PLEASANTRIES if answers else ONLY_ASKED_BACK
    content = (
        place
        for place in range(useful[0] + 1, len(messages))
        if messages[place].who == "customer" and is_satisfied(messages[place].text)
    )
    end = next(content, len(messages))
    return useful[0], max(place for place in useful if place < end)


def _burst(messages: Sequence[Message], last: int) -> list[Message]:
    """The answer at `last` with those directly before it: an agent who sent two mails at once."""
    first = last
    while first and messages[first - 1].who == "agent":
        before = messages[first - 1].text
        if is_question_back(before) or is_pleasantry(before):
            break
        first -= 1
    return list(messages[first : last + 1])


def _unsettled(conversation: Conversation, messages: Sequence[Message], last: int) -> bool:
    later = [one for one in messages[last + 1 :] if one.who == "customer"]
    return bool(later) and not conversation.closed and not is_satisfied(later[-1].text)


def _by_record(conversation: Conversation, asked: Sequence[Message], otherwise: str) -> Pair | str:
    """With the solution that the record keeps, for conversations without a public answer."""
    if not conversation.solution:
        machines = any(one.who == "machine" for one in conversation.messages)
        return ONLY_AUTOMATIC if otherwise == UNANSWERED and machines else otherwise
    if not conversation.closed:
        return UNSETTLED
    return Pair(_joined(asked), conversation.solution)


def _joined(messages: Sequence[Message]) -> str:
    return "\n\n".join(dict.fromkeys(one.text for one in messages))
