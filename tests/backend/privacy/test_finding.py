"""What is found, by label and language, and what stays; no row of a labelled set is here."""

from __future__ import annotations

import pytest

from backend.privacy import Label
from backend.privacy.detect import find
from backend.privacy.detect.known import Known
from backend.privacy.placeholders import Placeholders
from backend.services.redact import known_contact

FOUND: list[tuple[str, Label, str]] = [
    # what a form or a check digit gives away
    ("Write to <Anna.Weiss+shop@firma.example>.", "EMAIL", "Anna.Weiss+shop@firma.example"),
    ("mail me: anna (at) firma (dot) example", "EMAIL", "anna (at) firma (dot) example"),
    ("Пишіть на пошту ірина@пошта.укр!", "EMAIL", "ірина@пошта.укр"),
    ("It was paid with 5500 0000 0000 0004 today", "CARD", "5500 0000 0000 0004"),
    ("Karte: 4012-8888-8888-1881", "CARD", "4012-8888-8888-1881"),
    ("картка 2200 1234 5678 9010 заблокована", "CARD", "2200 1234 5678 9010"),
    ("Bitte auf GB33BUKB20201555555555 überweisen", "IBAN", "GB33BUKB20201555555555"),
    ("рахунок UA213223130000026007233566001 у банку", "IBAN", "UA213223130000026007233566001"),
    ("somebody from 203.0.113.77 logged in", "IP", "203.0.113.77"),
    ("http://198.51.100.4/admin does not load", "IP", "198.51.100.4"),
    ("ping 2001:db8:85a3::8a2e:370:7334 fails", "IP", "2001:db8:85a3::8a2e:370:7334"),
    # telephone numbers by country
    ("Call me at (212) 555-0182 please", "PHONE", "(212) 555-0182"),
    ("my number is +44 20 7946 0958.", "PHONE", "+44 20 7946 0958"),
    ("Наберіть 067 123 45 67 ввечері", "PHONE", "067 123 45 67"),
    ("Контакт: Ірина, 0671234567", "PHONE", "0671234567"),
    ("Мой телефон 8 (495) 123-45-67", "PHONE", "8 (495) 123-45-67"),
    ("Rufen Sie mich an: 030 901820", "PHONE", "030 901820"),
    ("erreichbar unter 0151/23456789", "PHONE", "0151/23456789"),
    # numbers with a name
    ("SSN 536-90-4399 is mine", "TAX_ID", "536-90-4399"),
    ("мій ІПН 3184710691", "TAX_ID", "3184710691"),
    ("ИНН 7707083893, счёт нужен", "TAX_ID", "7707083893"),
    ("Meine Steuer-ID: 36 574 261 809", "TAX_ID", "36 574 261 809"),
    ("USt-IdNr. DE136695976", "TAX_ID", "DE136695976"),
    ("my passport number is 912803456", "PASSPORT", "912803456"),
    ("паспорт серії КН № 345678", "PASSPORT", "КН № 345678"),
    ("паспорт 45 09 123456 выдан", "PASSPORT", "45 09 123456"),
    ("Reisepass C01X00T47 abgelaufen", "PASSPORT", "C01X00T47"),
    ("Where is order #88123?", "ORDER_ID", "#88123"),
    ("замовлення під номером 5512-887", "ORDER_ID", "5512-887"),
    ("заказ № 7781234 не пришёл", "ORDER_ID", "№ 7781234"),
    ("Bestellnummer 304-1234567-1234567", "ORDER_ID", "304-1234567-1234567"),
    ("ТТН 20450012345678", "ORDER_ID", "20450012345678"),
    ("customer number: 100482", "CUSTOMER_ID", "100482"),
    ("Meine Kundennummer lautet 4711-2233.", "CUSTOMER_ID", "4711-2233"),
    ("особовий рахунок № 1234567", "CUSTOMER_ID", "№ 1234567"),
    ("I was born on 4 March 1984", "DATE_OF_BIRTH", "4 March 1984"),
    ("дата народження: 04.03.1984", "DATE_OF_BIRTH", "04.03.1984"),
    ("родилась 4 марта 1984 года", "DATE_OF_BIRTH", "4 марта 1984"),
    ("geboren am 04.03.1984", "DATE_OF_BIRTH", "04.03.1984"),
    ("I log in as anna_w84 and see nothing", "USERNAME", "anna_w84"),
    ("мій логін anna.weiss", "USERNAME", "anna.weiss"),
    ("Benutzername: aweiss", "USERNAME", "aweiss"),
    # secrets
    ("My password is Tr0ub4dor&3!", "SECRET", "Tr0ub4dor&3!"),
    ("Пароль: сонечко", "SECRET", "сонечко"),
    ("пароль от почты - qwe12345", "SECRET", "qwe12345"),
    ("Mein Passwort lautet hase1234", "SECRET", "hase1234"),
    ("the SMS code is 482913", "SECRET", "482913"),
    ("код підтвердження 5521 прийшов", "SECRET", "5521"),
    (
        "use ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "SECRET",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    ),
    ("git clone https://anna:s3cr3t@git.example/x", "SECRET", "anna:s3cr3t"),
    # addresses
    ("Send it to 12 Baker Street, London NW1 6XE.", "ADDRESS", "12 Baker Street, London NW1 6XE"),
    (
        "I live at 742 Evergreen Terrace, Springfield, OR 97403",
        "ADDRESS",
        "742 Evergreen Terrace, Springfield, OR 97403",
    ),
    (
        "Адреса: м. Київ, вул. Хрещатик, буд. 22, кв. 5",
        "ADDRESS",
        "м. Київ, вул. Хрещатик, буд. 22, кв. 5",
    ),
    ("доставка на ул. Ленина, д. 10, кв. 4", "ADDRESS", "ул. Ленина, д. 10, кв. 4"),
    (
        "Bitte an Lange Straße 7, 70173 Stuttgart senden",
        "ADDRESS",
        "Lange Straße 7, 70173 Stuttgart",
    ),
    ("wohnhaft Kastanienallee 12a", "ADDRESS", "Kastanienallee 12a"),
    # people
    ("My name is Rubija and I am new", "NAME", "Rubija"),
    ("Dear Mr. Okonkwo, thanks", "NAME", "Okonkwo"),
    ("Best regards,\nMaría José Ortega", "NAME", "María José Ortega"),
    ("Ask J. R. Whitfield about it.", "NAME", "J. R. Whitfield"),
    ("I spoke with Grace yesterday", "NAME", "Grace"),
    ("Доброго дня, мене звати Соломія Гнатюк.", "NAME", "Соломія Гнатюк"),
    ("Передайте Тарасові Шевчуку, будь ласка", "NAME", "Тарасові Шевчуку"),
    ("Меня зовут Аглая, помогите", "NAME", "Аглая"),
    ("С уважением, Пётр Семёнович Кузнецов", "NAME", "Пётр Семёнович Кузнецов"),
    ("Sehr geehrte Frau Dr. Lindemann,", "NAME", "Lindemann"),
    ("ich bin Jürgen Schäfer aus Ulm", "NAME", "Jürgen Schäfer"),
    ("Guten Tag, ich heiße Rubija.", "NAME", "Rubija"),
    ("mit lieben Grüßen\njürgen", "NAME", "jürgen"),
    ("Bonjour Amandine, merci", "NAME", "Amandine"),
    ("Mit freundlichen Grüßen\nKatharina Vogt", "NAME", "Katharina Vogt"),
    ("Empfänger: Wolfgang von der Heide", "NAME", "Wolfgang von der Heide"),
]

STAYS = [
    "Thunderbird 115.10.1 on Windows 11 23H2 fails with error 0x80070005.",
    "Chrome/115.0.5790.110 and Firefox 102.11.2.0 (64-bit), build 20230522204120.",
    "Error code 1000-4402, KB5012345, CVE-2024-34359, RFC 5322, ISO 8601.",
    "It costs 1 299,00 грн instead of $1,199.99 or 1.299,00 €.",
    "SMTP port 587, IMAP port 993; 127.0.0.1 and 255.255.255.0 are normal.",
    "550-5.7.26 This mail is unauthenticated. Please see https://support.google.com/mail/answer/81126.",
    "The update of 2024-03-15 at 14:30:45 took 12345678 bytes (40 763 MB).",
    "Open Settings > Account Settings > Server Settings, then click Edit, File and Add.",
    "Mark the message as read. Will it work? May I ask? Page 12 of 44, March 2024.",
    "My password is wrong, the password is not accepted, enter your password again.",
    "The login failed and the username is required. Password: required",
    "Версія 12.4.1, Windows 10, помилка 0x8007045D, порт 993, розмір 26214400 байт.",
    "Логин не работает, пароль не подходит, код ошибки 80070005.",
    "Die Rechnung kam am Montag, die Bestellung vom 12. März fehlt. Version 4.2.1.0",
    "Der Fehler 0x80004005 tritt seit Windows 11 auf, Anhang über 25 MB.",
    "Акція діє з 01.02.2025 по 28.02.2025, знижка 15 %.",
    "Ubuntu 22.04.3 LTS, kernel 6.2.0-26-generic, gcc 11.4.0, git@github.com:org/repo.git",
    "Use SSL/TLS, OAuth2 or a Normal password. Authentication method: Encrypted password.",
]


@pytest.mark.parametrize(("text", "label", "value"), FOUND, ids=[value for _, _, value in FOUND])
def test_personal_data_is_found_with_its_label(text: str, label: Label, value: str) -> None:
    assert (label, value) in [(span.label, span.value) for span in find(text)]


@pytest.mark.parametrize("text", STAYS)
def test_versions_prices_codes_and_menus_stay(text: str) -> None:
    assert find(text) == []


def test_each_find_says_what_gave_it_away() -> None:
    assert all(span.why for text, _, _ in FOUND for span in find(text))


@pytest.mark.parametrize(
    ("known", "text", "value"),
    [
        (Known(names=("Олена Коваленко",)), "лист для Олени Коваленко", "Олени Коваленко"),
        (Known(names=("Olena Kovalenko",)), "Лист для Олени Коваленко", "Олени Коваленко"),
        (Known(names=("Сергей Волков",)), "Please tell Sergey Volkov", "Sergey Volkov"),
        (Known(names=("Marlene Foobarsky",)), "im auftrag von Foobarskys Firma", "Foobarskys"),
        (Known(names=("Ян Ж",)), "ян ж, Київ", "ян ж"),
        (Known(accounts=("Blue Heron GmbH",)), "we at blue heron gmbh", "blue heron gmbh"),
        (Known(emails=("nadiya.hrytsak@x.example",)), "Дякую, Nadiya", "Nadiya"),
        (Known(emails=("xx.yy77@x.example",)), "my profile is xx.yy77 there", "xx.yy77"),
        (Known(phones=("+380 67 123-45-67",)), "see 0671234567 or so", "0671234567"),
        (Known(ids=("K-778",)), "me: k-778", "k-778"),
        (Known(orders=("Alpha9",)), "about alpha9", "alpha9"),
    ],
)
def test_what_the_ticket_tells_is_found_however_it_is_written(
    known: Known, text: str, value: str
) -> None:
    assert value in [span.value for span in find(text, known)]


def test_a_name_that_was_met_is_found_again_without_its_context() -> None:
    spans = find("My name is Rubija Liberšar. It is urgent. Yours, the Liberšars")

    assert [span.value for span in spans] == ["Rubija Liberšar", "Liberšars"]


@pytest.mark.parametrize("repeated", ["1 ", "a@", "Ab ", "A. ", "вул. ", "1 Main St ", "order # "])
def test_no_text_takes_long(repeated: str) -> None:
    """64 kB of what makes patterns try everything; the limit is a hundred times the usual."""
    import time

    begun = time.thread_time()
    find(repeated * (64_000 // len(repeated)))

    assert time.thread_time() - begun < 10


@pytest.mark.parametrize(
    ("contact", "text", "left"),
    [
        ("Ana Diaz", "Any help would be appreciated.", "Any help would be appreciated."),
        ("Ana Diaz", "Any idea? Thanks, Ana", "Any idea? Thanks, [NAME_1]"),
        ("Will Young", "Will it work? Thanks, Will", "Will it work? Thanks, [NAME_1]"),
        ("Support@firm.example", "Your support is kind.", "Your support is kind."),
        ("", "Move the message to: Spam - Filters.", "Move the message to: Spam - Filters."),
    ],
)
def test_ordinary_words_stay_though_a_name_sounds_alike(contact: str, text: str, left: str) -> None:
    assert Placeholders(known_contact(contact)).redact(text) == left
