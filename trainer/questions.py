"""Tickets to compare two forms of a model on, where nobody gave any: varied on purpose.

Numbers, lists, code, capitals, several scripts and signs, for these are what tokenizers split in
different ways.
"""

from __future__ import annotations

QUESTIONS = (
    "How do I reset my password? The link does not arrive.",
    "Hello,\n\nmy invoice 1204 is wrong: it says 29.00 instead of 19.00. Can you send a new one?",
    "Добрий день! Не можу завантажити список контактів, що робити?",  # noqa: RUF001
    "it stopped working yesterday!!! please help",
    "Cannot import contacts.csv\n\n1. I open Settings\n2. I choose Import\n3. ERROR 500",
    "Guten Tag, ich möchte meine Adresse ändern: Königstraße 12b, 04109 Leipzig.",
    "URGENT!!! The WHOLE TEAM is locked out since 09:15 :-(",
    "  Traceback (most recent call last):\n    File \"app.py\", line 3\n\tKeyError: 'id'",
    "Je n’ai pas reçu ma commande n° 45-7781… Pouvez-vous vérifier ?",  # noqa: RUF001
    "we've 3 users who'd like SSO; they're on the €49 plan, isn't it included?",
    "Здравствуйте, когда придёт возврат за заказ №88120?",
    "Where is https://help.example.com/a/b?c=1&d=2#top now? I get a 404.",
    "👋 hi!! love the app ❤️ but the dark mode is gone 😢🌙",
    "Ciao, la fattura dell'IVA è sbagliata: 22% di 1.250,00 € fa 275,00 €.",
    "请问怎样重置密码?我没有收到邮件。",
    "[NAME_1] wrote from [EMAIL_1] that order [ORDER_ID_1] came twice. Refund one?",
    "Zażółć gęślą jaźń – does your search find names with such letters, e.g. Łukasz?",  # noqa: RUF001
    "a\n\n\nb   c\t\td    e — many    spaces\r\nand a Windows line",
    "Could you tell me\n- the price per seat\n- the notice period\n- where data is kept?",
    "Merhaba, İstanbul'dan yazıyorum; ödeme 3. kez reddedildi (kod: 0x1F).",  # noqa: RUF001
)
