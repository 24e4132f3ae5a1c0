"""What a message does in a conversation: ask back, give thanks, or say something.

Told by words in English, Ukrainian, Russian, German and the commonest of some other languages.
Where nothing tells, a message of an agent is an answer and one of a customer is no thanks.
"""

from __future__ import annotations

import re

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
_ASKS = re.compile(
    r"\?\s*$|\b(?:please (?:send|provide|share|attach|confirm|tell|let us know|specify|clarify)"
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
_SHORT, _PLEASANT = 500, 220


def is_question_back(text: str) -> bool:
    """Whether an agent only asks for more: short, without steps or links, mostly questions."""
    plain = _GREETING.sub("", text)
    if len(plain) > _SHORT or _CONTENT.search(plain):
        return False
    sentences = [one.strip() for one in _SENTENCE.findall(plain) if has_words(one)]
    asking = sum(1 for one in sentences if _ASKS.search(one))
    return bool(sentences) and asking * 2 >= len(sentences)


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
