"""Takes from a mail what its writer did not write for this mail.

Quoted mails, signatures, legal notes and the marks of devices go. Every cut is made only if words
remain: a text of which nothing would be left stays whole, so no customer's only sentence is lost.
All patterns meet single lines of bounded length, so the time is linear in the text.

The words by which mail programs and people mark what is not their message.

mail-parser-reply keeps such tables for thirteen languages; Ukrainian and Russian, which it lacks,
and forms that its tables miss stand here. Its own cutting is not used: it takes everything after
the first line that begins with `Thanks,` or a dash for a signature, so that whole questions
vanish.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from mailparser_reply.constants import MAIL_LANGUAGES

from backend.intake.html import tidy

_LONGEST_LINE = 400
_HEADER_LINES = 3
_SIGNATURE_LINES, _SIGNATURE_LINE = 14, 90
_LONGEST_MARKED_SIGNATURE = 1_500
_MARKS = ("--", "—", "––", "__")
_OPENING = 600  # characters in which an automatic reply says that it is one
_SYSTEM_SENDERS = (
    "mailer-daemon",
    "postmaster",
    "no-reply",
    "noreply",
    "do-not-reply",
    "donotreply",
)


def own_words(text: str) -> str:
    """The mail without what it quotes, its signature, legal notes and device marks.

    Stripping the result again changes nothing.
    """
    known, plain = "", tidy(text)
    while plain != known:
        known = plain
        for cut in (_without_quotes, _without_legal_notes, _without_signature):
            plain = _kept(cut, plain)
    return plain


def plain_subject(subject: str) -> str:
    """The subject in one line without `Re:`, `Fwd:`, their translations and ticket numbers."""
    known, plain = "", " ".join(subject[:_LONGEST_LINE].split())
    while plain != known:
        known, plain = plain, REPLY_MARKS.sub("", plain)
    return plain


def is_automatic(subject: str, text: str, sender: str = "") -> bool:
    """Whether a machine wrote it: an absence note, a receipt, or a mail that came back."""
    return (
        bool(AUTOMATIC_SUBJECT.match(plain_subject(subject)))
        or sender.lower().startswith(_SYSTEM_SENDERS)
        or bool(AUTOMATIC_BODY.search(" ".join(text[:_OPENING].split())))
    )


def _kept(cut: Callable[[list[str]], list[str]], text: str) -> str:
    left = tidy("\n".join(cut(text.split("\n"))))
    return left if any(character.isalnum() for character in left) else text


def _without_quotes(lines: list[str]) -> list[str]:
    header, length = _quote_header(lines)
    if header is None:
        return _without_quoted_end(lines)
    above, below = lines[:header], lines[header + length :]
    if FORWARD.search(lines[header][:_LONGEST_LINE]):
        return [*above, "", *_without_fields(below)]
    first = next((line for line in below if line.strip()), "")
    answered_below = first.lstrip().startswith(">")
    own_below = [line for line in below if not line.lstrip().startswith(">")]
    if _has_words(above):
        return [*above, *own_below] if answered_below else above
    return own_below if answered_below and _has_words(own_below) else lines


def _quote_header(lines: Sequence[str]) -> tuple[int | None, int]:
    """Where the first quoted mail is announced, and by how many lines."""
    for place, line in enumerate(lines):
        if not line.strip() or len(line) > _LONGEST_LINE:
            continue
        if SEPARATOR.match(line):
            return place, 1
        if FIRST_FIELD.match(line) and (fields := _fields(lines, place)) >= _HEADER_LINES:
            return place, fields
        if length := _wrote(lines, place):
            return place, length
    return None, 0


def _wrote(lines: Sequence[str], place: int) -> int:
    """How many lines, from this one, say that somebody wrote; mail programs wrap that sentence."""
    joined = ""
    for length in range(1, _HEADER_LINES + 1):
        if place + length > len(lines) or not lines[place + length - 1].strip():
            return 0
        joined = f"{joined} {lines[place + length - 1].strip()}".strip()
        if len(joined) > _LONGEST_LINE:
            return 0
        if joined.endswith((":", "-", "：")) and any(one.match(joined) for one in WROTE):
            return length
    return 0


def _fields(lines: Sequence[str], place: int) -> int:
    """How many header fields stand here in a row; a line between two may be a wrapped one."""
    last, found = place, 0
    for step in range(place, min(place + 10, len(lines))):
        if FIELD.match(lines[step][:_LONGEST_LINE]):
            last, found = step, found + 1
        elif step - last > 1:
            break
    return last - place + 1 if found >= _HEADER_LINES else 0


def _without_fields(lines: list[str]) -> list[str]:
    """A forwarded mail is what the writer wants to be read: only its header goes."""
    start = next((place for place, line in enumerate(lines) if line.strip()), 0)
    return lines[start + _fields(lines, start) :]


def _without_quoted_end(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith(">")):
        end -= 1
    return lines[:end]


def _without_legal_notes(lines: list[str]) -> list[str]:
    """Without the paragraphs at the end that only a lawyer wrote."""
    paragraphs = "\n".join(lines).split("\n\n")
    while len(paragraphs) > 1 and _is_legal(paragraphs[-1]):
        paragraphs.pop()
    return "\n\n".join(paragraphs).split("\n")


def _is_legal(paragraph: str) -> bool:
    opening = paragraph[:2_000]
    words = {found.lower() for found in LEGAL.findall(opening)}
    return len(words) >= 2 or (bool(LEGAL_START.match(opening)) and bool(words))


def _without_signature(lines: list[str]) -> list[str]:
    below, first = 0, _first_words(lines)
    for place in range(len(lines) - 1, first, -1):
        if lines[place].strip() in _MARKS:
            return lines[:place]
        below += len(lines[place]) + 1
        if below > _LONGEST_MARKED_SIGNATURE:
            break
    kept = [line for line in lines if not (len(line) <= 120 and DEVICE.match(line))]
    return _without_closing(kept)


def _without_closing(lines: list[str]) -> list[str]:
    """Without the regards and the few short lines after them, if these ask and tell nothing."""
    for place in range(max(len(lines) - _SIGNATURE_LINES, _first_words(lines) + 1), len(lines)):
        line = lines[place]
        if len(line) > _SIGNATURE_LINE or not CLOSING.match(line):
            continue
        below = [one for one in lines[place + 1 :] if one.strip()]
        alone = not below or bool(PURE_CLOSING.match(line))
        if alone and all(_in_signature(one) for one in below):
            return lines[:place]
    return lines


def _in_signature(line: str) -> bool:
    return len(line) <= _SIGNATURE_LINE and not line.rstrip().endswith(("?", ":", ";"))


def _has_words(lines: Sequence[str]) -> bool:
    return _first_words(lines) < len(lines)


def _first_words(lines: Sequence[str]) -> int:
    """The first line with a letter or digit."""
    worded = (place for place, line in enumerate(lines) if any(map(str.isalnum, line)))
    return next(worded, len(lines))


_WROTE_HERE = (
    r"On\b.{3,300}\b(?:wrote|writes)\s?:",
    r"Am\b.{3,300}\bschrieb\b.{0,200}:",
    r"(?:.{3,300}\s)?(?:пише|писав|писала|пишет|писал|писала)\s?:",
    r".{3,300}\s(?:написав|написала|написав\(-ла\)|написал|написала|написал\(а\)|написав\(ла\))\s?:",
    r"(?:\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|[а-яіїєґ]{2},? \d{1,2} ).{3,300}<[^<>\s]{3,200}>\s?:",
    r"Le\b.{3,300}\ba écrit\s?:",
    r"El\b.{3,300}\bescribió\s?:",
    r"Em\b.{3,300}\bescreveu\s?:",
    r"Il (?:giorno\b)?.{3,300}\bha scritto\s?:",
    r"Op\b.{3,300}\b(?:schreef|geschreven)\b.{0,100}:",
    r"W dniu\b.{3,300}\b(?:pisze|napisał|napisał\(a\)|użytkownik)\b.{0,100}:",
    r"---- On\b.{3,300}\bwrote\s?----",
    r"---- .{3,300}(?:написал|написав|пише|schrieb|wrote).{0,100}----",
)
_SEPARATORS = (
    r"[-_=* ]{2,}\s?(?:original message|forwarded message|ursprüngliche nachricht"
    r"|originalnachricht|weitergeleitete nachricht|weitergeleitete e-mail|message d'origine"
    r"|message original|message transféré|mensaje original|mensaje reenviado|messaggio originale"
    r"|messaggio inoltrato|oorspronkelijk bericht|doorgestuurd bericht|wiadomość oryginalna"
    r"|исходное сообщение|пересылаемое сообщение|пересланное сообщение|оригинал сообщения"
    r"|початкове повідомлення|оригінальне повідомлення|переслане повідомлення"
    r"|пересилане повідомлення)\b.{0,80}",
    r"begin forwarded message:?|anfang der weitergeleiteten (?:nachricht|e-mail):?",
    r"##-? ?please type your reply above this line.{0,40}",
    r"_{20,}",
)
_FIRST_FIELDS = "from|von|de|da|van|od|från|fra|от|от кого|від|від кого|відправник|отправитель"
_FIELDS = (
    _FIRST_FIELDS
    + "|sent|to|cc|bcc|subject|date|reply-to|gesendet|an|kopie|betreff|datum|envoyé|à|objet|date"
    "|enviado|enviado el|para|asunto|fecha|inviato|a|oggetto|data|verzonden|aan|onderwerp|wysłano"
    "|do|temat|dw|skickat|till|ämne|отправлено|кому|копия|тема|дата|надіслано|відправлено|копія"
)
_CLOSINGS = (
    r"(?:with )?(?:best|kind|kindest|warm|warmest) (?:regards|wishes)",
    r"regards|greetings|cheers|sincerely|yours (?:sincerely|truly|faithfully)|sincerely yours",
    r"all the best",
    r"(?:many )?thanks(?: (?:again|in advance|so much|and (?:best |kind )?regards))?",
    r"thank you(?: (?:again|in advance|so much|very much|for your (?:help|time|support)))?",
    r"best|br|rgds|thx",
    r"(?:mit )?(?:freundliche[nm]?|beste[nm]?|viele[nm]?|liebe[nm]?|schöne[nm]?|herzliche[nm]?) "
    r"(?:gr(?:ü|ue)(?:ß|ss)(?:e|en)?)|mfg|lg|vg|danke(?: im voraus)?|vielen dank(?: im voraus)?"
    r"|hochachtungsvoll",
    r"з повагою|із повагою|з найкращими побажаннями|щиро ваш[аі]?|дякую(?: (?:вам|наперед|"
    r"заздалегідь))?|дякуємо|з вдячністю|бажаю гарного дня|гарного дня|усього найкращого",
    r"с уважением|с наилучшими пожеланиями|искренне ваш[аи]?|спасибо(?: (?:вам|заранее))?"
    r"|заранее (?:спасибо|благодарю|благодарен|благодарна)|благодарю(?: (?:вас|заранее))?"
    r"|с благодарностью|хорошего дня|всего (?:доброго|наилучшего)|удачного дня",
    r"cordialement|bien cordialement|salutations|bien à vous|merci(?: d'avance)?|cdt",
    r"saludos(?: cordiales)?|un saludo|atentamente|gracias(?: de antemano)?|muchas gracias",
    r"cordiali saluti|distinti saluti|saluti|grazie(?: mille)?",
    r"met vriendelijke groet(?:en)?|vriendelijke groet(?:en)?|groet(?:en|jes)?|mvg|alvast bedankt",
    r"pozdrawiam|z poważaniem|dziękuję|s pozdravem|děkuji|z pozdravem|obrigad[oa]|atenciosamente",
    r"üdvözlettel|köszönöm|saygılarımla|teşekkürler|med vänliga hälsningar|med venlig hilsen|mvh",
)
_DEVICES = (
    r"sent (?:from|via|with) (?:my |the )?[\w ]{2,60}|get outlook for [\w ]{2,20}.{0,80}"
    r"|(?:von|gesendet) (?:von|mit) (?:meinem|der|mailbox|outlook|gmx|mail)\b.{0,60}"
    r"|von meinem .{2,40} gesendet|diese nachricht wurde von .{2,60} gesendet"
    r"|envoyé (?:depuis|de) mon .{2,40}|enviado desde mi .{2,40}|inviato da(?:l mio)? .{2,40}"
    r"|verzonden (?:vanaf|met) .{2,40}|надіслано (?:з|із|через) .{2,60}"
    r"|відправлено (?:з|із) .{2,60}"
    r"|отправлено (?:с|из|через) .{2,60}|послано (?:с|з) .{2,60}"
)
_LEGAL = (
    r"confidential|intended (?:only )?(?:for|recipient)|privileged|disclaimer|virus|unsubscribe"
    r"|consider the environment|vertraulich|empfänger|irrtümlich|vernichten|konfidenzi"
    r"|конфіденц|призначен\w* (?:лише|тільки|виключно)|адресат|помилково|видаліть"
    r"|конфиденц|предназначен\w* (?:только|исключительно)|ошибочно|удалите|полученн\w* по ошибке"
    r"|confidenti?el|destinataire|confidencial|destinatario|riservat|vertrouwelijk|poufn"
    r"|think before you print|registered in|amtsgericht|geschäftsführer|registergericht|ust-?id"
)
_AUTOMATIC_SUBJECT = (
    r"(?:auto(?:matic|mated)?[- ]?(?:reply|response|answer)|out of (?:the )?office|away from"
    r"|abwesenheits(?:notiz|nachricht)|automatische antwort|réponse automatique"
    r"|respuesta automática|risposta automatica|automatisch antwoord|автоматична відповідь"
    r"|автовідповідь|автоматический ответ|автоответ|undeliver(?:able|ed)"
    r"|delivery (?:status|failure)"
    r"|mail delivery (?:failed|subsystem)|returned mail|unzustellbar|не доставлено|read:|gelesen:)"
)
_AUTOMATIC_BODY = (
    r"i(?: am|'m) (?:currently )?(?:out of (?:the )?office|on (?:annual )?leave|on vacation)"
    r"|i will be out of (?:the )?office|this is an auto(?:matic|mated|-?generated)"
    r"|(?:your (?:request|ticket|message|e-?mail|inquiry) |we )(?:has been |have )?received"
    r"(?: your)?(?: (?:request|ticket|message|e-?mail|inquiry))?.{0,80}"
    r"(?:ticket (?:id|number)|case number|#\s?\d|will (?:get back|reply|respond|be in touch))"
    r"|ich bin (?:derzeit|momentan|bis|vom|zur ?zeit)?.{0,40}(?:nicht im (?:büro|hause)|abwesend)"
    r"|dies ist eine automatisch|ihre (?:anfrage|nachricht) ist (?:bei uns )?eingegangen"
    r"|(?:вас вітає автовідповідач|це автоматичн\w+ (?:відповідь|повідомлення|лист))"
    r"|(?:ваш(?:е|у|а)? (?:звернення|запит|заявку|заявка|лист)).{0,40}"
    r"(?:отримано|отримали|зареєстровано|прийнято|прийнята)"
    r"|я (?:зараз )?(?:у відпустці|не в офісі)|меня нет в офисе|я (?:сейчас )?в отпуске"
    r"|это автоматическ\w+ (?:ответ|сообщение|письмо)"
    r"|ваш(?:е|у|а)? (?:обращение|запрос|заявка|заявку|письмо).{0,40}"
    r"(?:получено|получили|зарегистрирован|принят)"
)


def _any(*pieces: str, start: str = r"^", end: str = r"$") -> re.Pattern[str]:
    return re.compile(f"{start}(?:{'|'.join(pieces)}){end}", re.IGNORECASE)


def _library(key: str) -> Iterable[str]:
    """The entries of a table of mail-parser-reply in all its languages."""
    for tables in MAIL_LANGUAGES.values():
        found = tables.get(key, ())
        yield from [found] if isinstance(found, str) and found else found


WROTE = (
    *(re.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in _library("wrote_header")),
    _any(*_WROTE_HERE, start=r"^[>\s*]*"),
)
SEPARATOR = _any(*_SEPARATORS, start=r"^[>\s]*", end=r"\s*$")
FORWARD = re.compile(
    r"forward|weitergeleitet|transféré|reenviado|inoltrato|doorgestuurd|пересл|пересил",
    re.IGNORECASE,
)
FIRST_FIELD = re.compile(rf"^[>\s*]*(?:{_FIRST_FIELDS})\s?:\*?\s*\S", re.IGNORECASE)
FIELD = re.compile(rf"^[>\s*]*(?:{_FIELDS})\s?:", re.IGNORECASE)
CLOSING = _any(
    *_CLOSINGS,
    *(one.rstrip(",") for one in _library("signatures") if not one.startswith("/")),
    start=r"^\s*",
    end=r"(?:\s*[,.!;:)\-\u2013\u2014]*\s*|,? .{0,40})$",
)
PURE_CLOSING = _any(*_CLOSINGS, start=r"^\s*", end=r"\s*[,.!;:)\-\u2013\u2014\s]*$")
DEVICE = _any(_DEVICES, start=r"^[\s*_-]*", end=r"[.!]?\s*$")
LEGAL = re.compile(_LEGAL, re.IGNORECASE)
LEGAL_START = _any(*_library("disclaimers"), start=r"^[\s*_]*", end=r"")
AUTOMATIC_SUBJECT = re.compile(_AUTOMATIC_SUBJECT, re.IGNORECASE)
AUTOMATIC_BODY = re.compile(_AUTOMATIC_BODY, re.IGNORECASE)
REPLY_MARKS = re.compile(
    r"^\s*(?:(?:re|fw|fwd|aw|wg|antw|tr|rv|sv|vs|odp|відп|на|отв|ответ|пересл|пер)(?:\[\d+\])?\s?:"
    r"|\[#{1,2}[\w -]{0,20}\d+\s?#{0,2}\]|##[\w -]{0,20}\d+\s?##|\[(?:ext|external|extern)\])\s*",
    re.IGNORECASE,
)
