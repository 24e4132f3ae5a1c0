"""A conversation → the question a customer asked and the answer that settled it, or why not.

What a message does, ask back, give thanks or say something, is told by the words of `languages/`.
Where nothing tells, a message of an agent is an answer and one of a customer is no thanks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backend.intake.conversation import Conversation, Message
from backend.intake.mail import intake_words
from backend.privacy.lexicon import privacy_words
from backend.system.languages import either, phrase_patterns

NO_QUESTION = "without a question"
UNANSWERED = "unanswered"
ONLY_AUTOMATIC = "answered by a machine only"
ONLY_ASKED_BACK = "only asked back"
UNSETTLED = "open, and the customer wrote last"
PLEASANTRIES = "answered with thanks only"
ELSEWHERE = "answered in another ticket"
_SHORT, _PLEASANT, _POINTER = 500, 220, 450
_WORDS = intake_words()
_GREETING = re.compile(
    rf"^\s*{either(phrase_patterns(privacy_words().greetings))}\b[^\n?]{{0,60}}(?:[,!.:\n]+|$)\s*",
    re.IGNORECASE,
)
_CONTENT = re.compile(
    r"https?://|^\s*(?:[-*•]|\d+[.)])\s|\n\s*\n.*\n\s*\n|`|→|->| > ", re.MULTILINE
)
_SENTENCE = re.compile(r"[^.!?…\n]+[.!?…]*")
_REQUESTS = re.compile(rf"\b{either(_WORDS.requests)}\b", re.IGNORECASE)
_THANKS = re.compile(rf"\b{either(_WORDS.satisfied)}\b", re.IGNORECASE)
_BUT = re.compile(rf"\?|\b{either(_WORDS.objections)}\b", re.IGNORECASE)
_NICE = re.compile(rf"\b{either(_WORDS.pleasantries)}\b", re.IGNORECASE)
_COURTESY = re.compile(rf"\W*{either(_WORDS.courtesies)}", re.IGNORECASE)
_PLEASE = either(_WORDS.please)
_WANTS = re.compile(
    rf"^{_PLEASE}?\s*(?:{either(_WORDS.polite_questions)} )?(?:{_PLEASE} )?"
    rf"{either(_WORDS.wanted_deeds)}\b.{{0,60}}\b{either(_WORDS.wanted_things)}\b",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(either(_WORDS.pointers_elsewhere), re.IGNORECASE)


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
    messages = [message for message in conversation.messages if message.who != "machine"]
    asked = [message for message in messages if message.who == "customer"]
    if not asked and not has_words(conversation.subject):
        return ONLY_AUTOMATIC if conversation.messages and not messages else NO_QUESTION
    if not conversation.messages and not conversation.solution:
        return NO_QUESTION if not has_words(conversation.subject) else UNANSWERED
    answers = _answers(messages)
    if isinstance(answers, str):
        return _by_record(conversation, asked, answers)
    first, last = answers
    question = _joined([message for message in messages[:first] if message.who == "customer"])
    if not question and not has_words(conversation.subject):
        return NO_QUESTION
    if _unsettled(conversation, messages, last):
        return UNSETTLED
    return Pair(question, _joined(_burst(messages, last)))


def is_question_back(text: str) -> bool:
    """Whether an agent only asks for more: short, without steps or links, mostly questions."""
    plain = _GREETING.sub("", text)
    if len(plain) > _SHORT or _CONTENT.search(plain):
        return False
    sentences = [found.strip() for found in _SENTENCE.findall(plain) if has_words(found)]
    asking = [
        sentence for sentence in sentences if sentence.endswith("?") or _REQUESTS.search(sentence)
    ]
    telling = [
        sentence
        for sentence in sentences
        if sentence not in asking and not _COURTESY.match(sentence)
    ]
    if len(asking) == len(telling):
        return any(map(_REQUESTS.search, asking))
    return len(asking) > len(telling) or bool(_WANTS.match(sentences[0]))


def is_greeting(text: str) -> bool:
    """Whether a text begins as one greets."""
    return bool(_GREETING.match(text))


def points_elsewhere(text: str) -> bool:
    """Whether an agent only says that another ticket has the same question."""
    return len(text) <= _POINTER and bool(_ELSEWHERE.search(text))


def is_satisfied(text: str) -> bool:
    """Whether a customer says that it works now or gives thanks, and nothing else."""
    plain = _GREETING.sub("", text)
    return len(plain) <= _SHORT and bool(_THANKS.search(plain)) and not _BUT.search(plain)


def is_pleasantry(text: str) -> bool:
    """Whether an agent only returns thanks or says good-bye."""
    plain = _GREETING.sub("", text)
    return len(plain) <= _PLEASANT and bool(_NICE.search(plain)) and not _CONTENT.search(plain)


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit."""
    return any(map(str.isalnum, text))


def _answers(messages: Sequence[Message]) -> tuple[int, int] | str:
    """Where the first answer stands and the one that settled it, or why there is none."""
    start = next((place for place, message in enumerate(messages) if message.who == "customer"), 0)
    written = [place for place in range(start, len(messages)) if messages[place].who == "agent"]
    if not written:
        return UNANSWERED
    answers = [place for place in written if not is_question_back(messages[place].text)]
    here = [place for place in answers if not points_elsewhere(messages[place].text)]
    useful = [place for place in here if not is_pleasantry(messages[place].text)]
    if not useful:
        return PLEASANTRIES if here else ELSEWHERE if answers else ONLY_ASKED_BACK
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
        if is_question_back(before) or is_pleasantry(before) or points_elsewhere(before):
            break
        first -= 1
    return list(messages[first : last + 1])


def _unsettled(conversation: Conversation, messages: Sequence[Message], last: int) -> bool:
    later = [message for message in messages[last + 1 :] if message.who == "customer"]
    return bool(later) and not conversation.closed and not is_satisfied(later[-1].text)


def _by_record(conversation: Conversation, asked: Sequence[Message], otherwise: str) -> Pair | str:
    """With the solution that the record keeps, for conversations without a public answer."""
    if not conversation.solution:
        machines = any(message.who == "machine" for message in conversation.messages)
        return ONLY_AUTOMATIC if otherwise == UNANSWERED and machines else otherwise
    if not conversation.closed:
        return UNSETTLED
    return Pair(_joined(asked), conversation.solution)


def _joined(messages: Sequence[Message]) -> str:
    return "\n\n".join(dict.fromkeys(message.text for message in messages))
