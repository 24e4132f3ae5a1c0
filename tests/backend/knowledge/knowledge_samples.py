"""Articles and solved tickets that the tests of search and knowledge share."""

from __future__ import annotations

from backend.domain.passage import Article, SolvedTicket

# ruff: noqa: RUF001 - Cyrillic letters are meant


ARTICLES = [
    Article(
        id="password",
        title="Reset your password",
        body="Open the login page, click Forgot password and follow the link in the message.",
        url="https://help.example/en/password",
    ),
    Article(
        id="password-uk",
        title="Як скинути пароль",
        body="На сторінці входу натисніть Forgot password і перейдіть за посиланням у листі.",
        url="https://help.example/uk/password",
    ),
    Article(
        id="spf",
        title="Publish an SPF record",
        body="Add a TXT record with the include of our servers to the zone of your domain.",
        url="https://help.example/en/spf",
    ),
    Article(
        id="credits",
        title="Buy SMS credits",
        body="Choose Billing, then Credits, then a package. Credits never expire.",
        url="https://help.example/en/credits",
    ),
    Article(id="old", title="Old interface", body="Menus of the classic dashboard before 2020."),
]
TICKETS = [
    SolvedTicket(
        id="1",
        subject="Cannot sign in",
        question="The login page says my password is wrong.",
        answer="Please reset it with Forgot password.",
    ),
    SolvedTicket(
        id="2",
        subject="Softfail in the header",
        question="Receivers report an SPF softfail for our newsletters.",
        answer="Please publish our include in the TXT record of your domain.",
    ),
    SolvedTicket(
        id="3",
        subject="Purple screen",
        question="After the update the dashboard turns purple and flickers.",
        answer="Switch off the beta theme.",
        cited=("old",),
    ),
    SolvedTicket(
        id="4",
        subject="Не приходить лист",
        question="Не можу увійти: забув пароль, а лист з паролем не приходить.",
        answer="Перевірте папку «Спам» або попросіть новий лист.",
    ),
]
