"""The words by which mail programs and people mark what is not their message.

mail-parser-reply keeps such tables for thirteen languages; Ukrainian and Russian, which it lacks,
and forms that its tables miss stand here. Its own cutting is not used: it takes everything after
the first line that begins with `Thanks,` or a dash for a signature, so that whole questions vanish.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailparser_reply.constants import MAIL_LANGUAGES

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
    r"regards|cheers|sincerely|yours (?:sincerely|truly|faithfully)|sincerely yours|all the best",
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
