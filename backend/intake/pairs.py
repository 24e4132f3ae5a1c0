"""A conversation → the question a customer asked and the answer that settled it, or why not.

What a message does in a conversation: ask back, give thanks, or say something.

Told by words in English, Ukrainian, Russian, German and the commonest of some other languages.
Where nothing tells, a message of an agent is an answer and one of a customer is no thanks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backend.intake.conversation import Conversation, Message

NO_QUESTION = "without a question"
UNANSWERED = "unanswered"
ONLY_AUTOMATIC = "answered by a machine only"
ONLY_ASKED_BACK = "only asked back"
UNSETTLED = "open, and the customer wrote last"
PLEASANTRIES = "answered with thanks only"
ELSEWHERE = "answered in another ticket"


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


_GREETING = re.compile(
    r"^\s*(?:hi|hello|hey|dear|good (?:morning|day|afternoon|evening)|hallo"
    r"|guten (?:tag|morgen|abend)|moin|liebe[r]?|sehr geehrte[r]?|добрий (?:день|ранок|вечір)"
    r"|доброго (?:дня|ранку|вечора|здоров)"
    r"|вітаю|вітаємо|привіт|шановн|здравствуйте|добрый (?:день|вечер)|доброе утро|привет|уважаем"
    r"|bonjour|hola|buenos|ciao|buongiorno|cześć|dzień dobry|olá|ahoj|dobrý den)\b[^\n?]{0,60}"
    r"(?:[,!.:\n]+|$)\s*",
    re.IGNORECASE,
)
_CONTENT = re.compile(
    r"https?://|^\s*(?:[-*•]|\d+[.)])\s|\n\s*\n.*\n\s*\n|`|→|->| > ", re.MULTILINE
)
_SENTENCE = re.compile(r"[^.!?…\n]+[.!?…]*")
_REQUESTS = re.compile(
    r"\b(?:please (?:send|provide|share|attach|confirm|tell|let us know|specify|clarify)"
    r"|could you|can you|would you|may i (?:know|ask)|what (?:version|browser|device|exactly)"
    r"|let us know (?:which|what|if|the)|bitte (?:senden|schicken|teilen|nennen|geben)"
    r"|können sie (?:uns|mir|bitte)|könnten sie|надішліть|пришліть|уточніть|вкажіть|підкажіть"
    r"|повідомте|чи могли б ви|пришлите|уточните|укажите|подскажите|сообщите|вышлите"
    r"|не могли бы вы)\b",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"\b(?:thanks?|thank you|thx|cheers|works?(?: now| fine| again)?|solved|fixed|resolved|perfect"
    r"|great|awesome|danke|vielen dank|funktioniert|geklappt|gelöst|erledigt|дяку[юєв]\w*|працює"
    r"|вирішен\w*|допомогло|запрацювал\w*|спасибо|благодар\w+|работает|решен[оа]?|помогло"
    r"|заработал\w*|merci|gracias|grazie|bedankt|dziękuj\w+|děkuj\w+|obrigad[oa])\b",
    re.IGNORECASE,
)
_BUT = re.compile(
    r"\?|\b(?:but|however|still|not|doesn'?t|didn'?t|isn'?t|can'?t|cannot|won'?t|unfortunately|again"
    r"|error|aber|leider|nicht|immer noch|але|однак|не|досі|помилка|проте|но|однако|всё ещё|ошибка"
    r"|mais|pas|pero|no|ma|non|maar|niet)\b",
    re.IGNORECASE,
)
_NICE = re.compile(
    r"\b(?:you(?:'re| are) (?:very )?welcome|glad (?:to|that|it|we|i)|happy to (?:help|hear)"
    r"|have a (?:nice|great|good|wonderful)|my pleasure|anytime|closing this|close this ticket"
    r"|gern(?:e)? geschehen|freut (?:mich|uns)|schönen tag|будь ласка|раді (?:були )?допомогти"
    r"|радий допомогти|гарного дня|прошу|закриваємо|пожалуйста|рады (?:были )?помочь|рад помочь"
    r"|хорошего дня|закрываем"
    r"|thank(?:s| you) for (?:confirming|letting|the (?:update|feedback)))\b",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"\W*(?:thank|sorry|i am sorry|danke|vielen dank|entschuldig|дяку|перепрош|вибач|спасибо"
    r"|благодар|извин|merci|gracias|grazie)",
    re.IGNORECASE,
)
_WANTS = re.compile(
    r"^(?:please|kindly|bitte|будь ласка,?|пожалуйста,?)?\s*(?:could you |can you |would you )?"
    r"(?:please )?(?:post|send|provide|share|paste|attach|upload|give|tell|let us know|надішліть"
    r"|надайте|пришліть|пришлите|вышлите|предоставьте|senden sie|schicken sie|teilen sie)\b"
    r".{0,60}\b(?:information|info|details?|logs?|screen ?shots?|version|number|copy|us|me|mit|uns"
    r"|інформацію|деталі|знімок|скріншот|версію|номер|информацию|детали|снимок|скриншот|версию)\b",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"\bdup(?:licate[ds]?|\.)? (?:of|here|ticket|topic|question|thread)\b|\bis a duplicate\b"
    r"|\bas a duplicate\b|\b(?:this|closing) duplicate\b|\bredundant (?:topic|ticket|thread)\b"
    r"|\bcontinue\b.{0,40}\b(?:original|other|your|existing|first) (?:topic|ticket|thread|question)"
    r"|\bmerged? (?:this |it |the )?(?:ticket |request )?(?:with|into)\b"
    r"|\balready answered (?:in|under)\b"
    r"|\bduplikat\b|\b(?:doppelte|zusammengeführt)\w*|дублікат|дубликат"
    r"|об'єднан\w+ з|объединен\w+ с",
    re.IGNORECASE,
)
_SHORT, _PLEASANT, _POINTER = 500, 220, 450


def is_question_back(text: str) -> bool:
    """Whether an agent only asks for more: short, without steps or links, mostly questions."""
    plain = _GREETING.sub("", text)
    if len(plain) > _SHORT or _CONTENT.search(plain):
        return False
    sentences = [one.strip() for one in _SENTENCE.findall(plain) if has_words(one)]
    asking = [one for one in sentences if one.endswith("?") or _REQUESTS.search(one)]
    telling = [one for one in sentences if one not in asking and not _COURTESY.match(one)]
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
