"""A private repository on the Hugging Face hub, and what the hub's errors mean.

All that the trainer sends there was made from customers' texts, so a public one is refused.
"""

from __future__ import annotations

import httpx2
from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from backend.domain.errors import BadInput, Forbidden, ProductError, Unavailable

TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105 - the name of the variable
ERRORS = (HfHubHTTPError, HFValidationError, httpx2.TransportError)
"""What a call of the hub raises; `refusal` says what it means."""


def token_here() -> str:
    """The token of `HF_TOKEN`, of Colab's secrets, or of `hf auth login`; empty without one."""
    return get_token() or ""


def signed_in(repository: str, *, token: str, endpoint: str | None = None) -> HfApi:
    """The hub, for writing to this repository; nothing is called yet.

    Raises Forbidden without a token.
    """
    if not token:
        raise Forbidden(
            f"There is no token for {repository}. Put one that may write into {TOKEN_VARIABLE}; "
            "https://huggingface.co/settings/tokens makes it."
        )
    return HfApi(endpoint=endpoint, token=token)


def make_private(repository: str, *, api: HfApi) -> None:
    """Makes the repository if it is new.

    Raises BadInput for one that is public, Forbidden for a token that may not write, Unavailable
    if the hub cannot be reached.
    """
    try:
        api.create_repo(repository, private=True, exist_ok=True)
        private = api.model_info(repository).private
    except ERRORS as error:
        raise refusal(error, repository) from error
    if not private:
        raise BadInput(
            f"{repository} is public. What goes there was made from customers' texts: make the "
            "repository private, or name another."
        )


def refusal(error: Exception, repository: str) -> ProductError:
    """What the hub's error means, without the request that caused it: that carries the token."""
    response = getattr(error, "response", None)
    status = response.status_code if response is not None else 0
    if status in (401, 403):
        return Forbidden(
            f"The hub does not let this token write to {repository} ({status}). Give one with the "
            f"right to write in {TOKEN_VARIABLE}."
        )
    if isinstance(error, HFValidationError):
        return BadInput(f"{repository!r} is no repository. Write organisation/name.")
    return Unavailable(
        f"Nothing was pushed to {repository}: {type(error).__name__} {status or ''}. Run the same "
        "command again."
    )
