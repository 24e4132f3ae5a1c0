"""Everything that can go wrong for a reason the product knows.

A message says what is so and what to do about it. No error here knows HTTP or terminals:
`backend.web.errors` and `backend.cli` turn them into statuses and exit codes at the edge.

    ProductError
    ├── BadInput              what was asked cannot be right
    │   ├── EmptyTicket
    │   ├── TooLarge
    │   ├── PromptTooLong
    │   └── BadScore
    ├── Unknown               a name or id that does not exist
    │   ├── UnknownSuggestion, UnknownCandidate
    │   └── UnknownModel, UnknownRubric
    ├── Conflict              right in itself, wrong at this moment
    │   ├── CandidateUnfinished
    │   └── NameTaken
    ├── Forbidden             a key is missing or wrong
    ├── UnusableModel         a model file, card or endpoint that cannot serve
    │   ├── NotAGguf, HashMismatch
    │   └── UnfaithfulModel, WrongPromptFormat
    ├── Unavailable           try again, or free something first
    │   ├── QueueFull, DiskFull, StoreBusy
    │   ├── TooLittleMemory
    │   ├── TooManyFollowers
    │   └── NoModel
    ├── StoreError
    │   └── DatabaseTooNew
    ├── BadSettings
    ├── ZohoError             Zoho does not give what was asked
    │   ├── ZohoNotConnected, ZohoSignInFailed
    │   ├── ZohoForbidden
    │   │   └── ZohoRecordForbidden
    │   ├── ZohoNotFound
    │   ├── ZohoUnreachable       (worth another try)
    │   └── ZohoThrottled         (worth another try, later)
    │       └── CreditsSpent
    └── EngineError           a model's endpoint did not write a reply
        ├── EngineUnreachable, EngineTimeout, EngineBusy     (worth another try)
        ├── EngineRefused
        ├── EngineUnauthorized
        └── NothingFound
"""

import re

_WORD_BEGINS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class ProductError(Exception):
    """The root of all errors with a sentence for a person."""


class BadInput(ProductError):
    """What was asked cannot be right."""


class EmptyTicket(BadInput):
    """The ticket has no text to answer."""


class TooLarge(BadInput):
    """More bytes than are accepted."""


class PromptTooLong(BadInput):
    """A prompt that does not fit the model's context.

    Carries the counts, so that a caller can cut the prompt to fit and try again.
    """

    def __init__(self, message: str, *, prompt_tokens: int = 0, context_tokens: int = 0) -> None:
        super().__init__(message)
        self.prompt_tokens = prompt_tokens
        self.context_tokens = context_tokens


class BadScore(BadInput):
    """A score outside 1 to 5, or for a criterion that the rubric does not have."""


class Unknown(ProductError):
    """A name or id that does not exist."""


class UnknownSuggestion(Unknown):
    """No suggestion has this id."""


class UnknownCandidate(Unknown):
    """No candidate has this id."""


class UnknownModel(Unknown):
    """No model has this name."""


class UnknownRubric(Unknown):
    """No rubric has this name and version."""


class Conflict(ProductError):
    """Right in itself, wrong at this moment."""


class CandidateUnfinished(Conflict):
    """The candidate is not written to its end, so it can be neither rated nor used."""


class NameTaken(Conflict):
    """Another thing has this name already."""


class Forbidden(ProductError):
    """A key is missing or wrong."""


class UnusableModel(ProductError):
    """A model file, card or endpoint that cannot serve."""


class NotAGguf(UnusableModel):
    """The file is no GGUF, or a broken one."""


class HashMismatch(UnusableModel):
    """The file is not the one that was approved."""


class UnfaithfulModel(UnusableModel):
    """A step of the export, which the message names, changed what the model computes."""


class WrongPromptFormat(UnusableModel):
    """The model was trained on prompts of another format than this backend writes."""


class Unavailable(ProductError):
    """Cannot be done now; can be once something is freed or started."""


class QueueFull(Unavailable):
    """More candidates wait than the queue takes."""

    def __init__(self, message: str, *, retry_after_seconds: int = 10) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DiskFull(Unavailable):
    """The disk has no room left; nothing was saved."""


class StoreBusy(Unavailable):
    """Another program keeps the database locked."""


class TooLittleMemory(Unavailable):
    """What is to be done does not fit this machine's memory."""


class TooManyFollowers(Unavailable):
    """More event streams are open than the server has room for."""


class NoModel(Unavailable):
    """No model is active, so nothing can answer."""


class StoreError(ProductError):
    """The database cannot be used as it is."""


class DatabaseTooNew(StoreError):
    """The database was written by a newer version of the product."""


class BadSettings(ProductError):
    """A setting has a value that cannot be used."""


class EngineError(ProductError):
    """A model's endpoint did not write a reply."""


class EngineUnreachable(EngineError):
    """No connection, or it broke while the reply was written."""


class EngineTimeout(EngineError):
    """The endpoint did not answer in time."""


class EngineBusy(EngineError):
    """The endpoint has no room for another request now, and may say when it will."""

    def __init__(self, message: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class EngineRefused(EngineError):
    """The endpoint understood the request and will not serve it."""


class EngineUnauthorized(EngineError):
    """The endpoint does not accept the key."""


class NothingFound(EngineError):
    """Nothing like the ticket is in the knowledge base or among the solved tickets."""


class ZohoError(ProductError):
    """Zoho does not give what was asked."""


class ZohoNotConnected(ZohoError):
    """No sign-in to Zoho is kept here."""


class ZohoSignInFailed(ZohoError):
    """Zoho does not accept the client, the code or the token."""


class ZohoForbidden(ZohoError):
    """The sign-in lacks a scope, a right or a licence."""


class ZohoRecordForbidden(ZohoForbidden):
    """The user who signed in may read such records, but not this one."""


class ZohoNotFound(ZohoError):
    """The record does not exist, or no longer."""


class ZohoUnreachable(ZohoError):
    """No whole answer came, several times over."""


class ZohoThrottled(ZohoError):
    """Zoho wants fewer calls, and may say when it takes them again."""

    def __init__(self, message: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class CreditsSpent(ZohoThrottled):
    """The credits of these 24 hours are spent, Zoho's or the budget's own."""


WORTH_ANOTHER_TRY = (EngineUnreachable, EngineTimeout, EngineBusy)


def problem_type(name: str) -> str:
    """A stable name of a kind of problem, such as `/problems/queue-full`."""
    return "/problems/" + _WORD_BEGINS.sub("-", name).lower()


def problem_title(name: str) -> str:
    """The kind of problem in words: `QueueFull` is "Queue full"."""
    words = _WORD_BEGINS.sub(" ", name)
    return words[0] + words[1:].lower()
