"""Raw Desk lines that look like a real help desk's: many languages, quotes, signatures, copies.

Texts are drawn with a fixed seed from sentence parts in four languages, so that every size is a
prefix of the next one. A fifth of the tickets repeats an earlier question with a few words changed.
"""

from __future__ import annotations

import html
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Line = dict[str, Any]
_SYLLABLES = {
    "en": "con ter sup port mail box set ting ac count log in ven dor re fund sync import file",
    "de": "kon to pass wort rech nung ein stel lung post fach lie fer ung datei zu gang",
    "uk": "пош та рах унок вхід нала шту вання пере гля пар оль зам ов лення фа йл дос туп",
    "ru": "поч та счёт вход наст рой ка про смо тр пар оль за каз фай лы дос туп ошиб ка",
}
_OPENINGS = {
    "en": "Hello, how can I {}? When I open {} it says {}. My name is {}, call me at {}.",
    "de": "Guten Tag, wie kann ich {}? Wenn ich {} öffne, steht dort {}. Ich heiße {}, Tel. {}.",
    "uk": "Добрий день, як мені {}? Коли я відкриваю {}, пише {}. Мене звати {}, тел. {}.",
    "ru": "Здравствуйте, как мне {}? Когда я открываю {}, пишет {}. Меня зовут {}, тел. {}.",
}
_ANSWERS = {
    "en": "Hello {}, please open {} and choose {}. Then {}. The details: https://help.example/{}",
    "de": "Hallo {}, bitte öffnen Sie {} und wählen Sie {}. Dann {}: https://help.example/{}",
    "uk": "Вітаю, {}! Відкрийте, будь ласка, {} та виберіть {}. Потім {}: https://help.example/{}",
    "ru": "Здравствуйте, {}! Откройте {} и выберите {}. Затем {}: https://help.example/{}",
}
_THANKS = {
    "en": "Thanks, it works now!",
    "de": "Danke, es funktioniert!",
    "uk": "Дякую, все працює!",
    "ru": "Спасибо, всё работает!",
}
_CLOSINGS = {
    "en": "Best regards,",
    "de": "Mit freundlichen Grüßen",
    "uk": "З повагою,",
    "ru": "С уважением,",
}
_NAMES = {
    "en": ("Anna Smith", "John Miller", "Mary Baker", "Peter Young"),
    "de": ("Hans Meier", "Jürgen Weber", "Sabine Koch", "Petra Wolf"),
    "uk": ("Олена Шевченко", "Іван Коваленко", "Тарас Бойко", "Марія Ткаченко"),
    "ru": ("Светлана Иванова", "Пётр Смирнов", "Ольга Кузнецова", "Сергей Попов"),
}
_WROTE = {
    "en": "On Mon, 3 Jun 2024 at 10:02, {} <{}> wrote:",
    "de": "Am 03.06.2024 um 10:02 schrieb {} <{}>:",
    "uk": "пн, 3 черв. 2024 р. о 10:02 {} <{}> пише:",
    "ru": "пн, 3 июн. 2024 г. в 10:02, {} <{}>:",
}
_COPIED, _UNANSWERED, _SPAM = 0.2, 0.12, 0.02
_STYLE = "<style>p{margin:0;font-family:Calibri,sans-serif}</style>"
_SEED = 20261122


def write_export(folder: Path, count: int) -> None:
    """Writes `desk/tickets.jsonl` with so many tickets."""
    path = folder / "desk" / "tickets.jsonl"
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        for line in tickets(count):
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


def tickets(count: int) -> Iterator[Line]:
    """So many tickets, the same for the same number."""
    for number in range(count):
        draw = random.Random(f"{_SEED} ticket {number}")
        copied = number > 0 and draw.random() < _COPIED
        original = draw.randrange(number) if copied else number
        yield _ticket(number, original, draw)


def _ticket(number: int, original: int, draw: random.Random) -> Line:
    source = random.Random(f"{_SEED} text {original}")
    language = source.choices(tuple(_OPENINGS), (5, 1, 2, 2))[0]
    name = draw.choice(_NAMES[language])
    mail = f"customer{draw.randrange(20_000)}@mail.example"
    asked = _asked(language, source, draw, name)
    if original != number:
        asked = f"{asked.rpartition(chr(10))[0]}\n{_sentence(language, draw)}"
    day = 1 + number * 700 // 100_000
    said = [("in", _page(asked, language, name, ""))]
    if draw.random() >= _UNANSWERED:
        answer = _ANSWERS[language].format(
            name.split()[0], *(_words(language, draw, n) for n in (3, 3, 9)), draw.randrange(400)
        )
        said.append(("out", _page(answer, language, "Jade Tan", asked, mail)))
        thanks = _page(_THANKS[language], language, name, answer, "jade@acme.example")
        said.append(("in", thanks))
    return _line(number, day, said, (name, mail), spam=draw.random() < _SPAM)


def _asked(language: str, source: random.Random, draw: random.Random, name: str) -> str:
    phone = f"+38067{draw.randrange(10**7):07}"
    parts = [_words(language, source, n) for n in (6, 4, 5)]
    text = _OPENINGS[language].format(*parts, name, phone)
    return "\n\n".join([text, *(_sentence(language, source) for _ in range(source.randint(2, 8)))])


def _sentence(language: str, draw: random.Random) -> str:
    return _words(language, draw, draw.randint(8, 22)).capitalize() + "."


def _words(language: str, draw: random.Random, count: int) -> str:
    pieces = _SYLLABLES[language].split()
    return " ".join("".join(draw.choices(pieces, k=draw.randint(1, 3))) for _ in range(count))


def _page(text: str, language: str, name: str, quoted: str, mail: str = "") -> str:
    def shown(plain: str) -> str:
        return "".join(f"<p>{html.escape(one)}</p>" for one in plain.split("\n\n"))

    signature = f"<div>{_CLOSINGS[language]}<br>{name}<br>ACME GmbH<br>www.acme.example</div>"
    before = ""
    if quoted:
        header = html.escape(_WROTE[language].format(name, mail))
        before = (
            f'<div class="gmail_quote">{header}<br><blockquote>{shown(quoted)}</blockquote></div>'
        )
    body = f"{shown(text)}<ul><li>one<li>two</ul>{signature}{before}"
    return f"<html><head>{_STYLE}</head><body>{body}</body></html>"


def _line(
    number: int, day: int, said: list[tuple[str, str]], who: tuple[str, str], *, spam: bool
) -> Line:
    id_ = str(22372000000212001 + number)
    month = f"{2023 + day // 336}-{1 + day % 336 // 28:02}-{1 + day % 28:02}"
    threads = [
        {
            "id": f"{id_}{place}",
            "type": "thread",
            "channel": "EMAIL",
            "direction": way,
            "status": "SUCCESS",
            "visibility": "public",
            "contentType": "text/html",
            "createdTime": f"{month}T{8 + place:02}:{number % 60:02}:00.000Z",
            "author": {"name": who[0], "email": who[1], "type": "END_USER"}
            if way == "in"
            else {"name": "Jade Tan", "email": "jade@acme.example", "type": "AGENT"},
            "content": content,
        }
        for place, (way, content) in enumerate(said)
    ]
    listed = [{k: v for k, v in one.items() if k != "content"} for one in threads]
    record = {
        "id": id_,
        "subject": f"Re: [#{number}] Question {number % 977}",
        "status": "Closed",
        "statusType": "Closed",
        "contactId": str(number * 7919 % 30_011),
        "contact": {"firstName": who[0].split()[0], "lastName": who[0].split()[1]},
        "email": who[1],
        "isSpam": spam,
        "createdTime": f"{month}T08:{number % 60:02}:00.000Z",
    }
    return {"id": id_, "record": record, "conversations": listed[::-1], "threads": threads}
