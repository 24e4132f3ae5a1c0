"""A private repository on the Hugging Face hub, written through huggingface_hub.

All that the trainer sends there was made from customers' texts, so a public one is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from backend.domain.errors import BadInput, Forbidden
from backend.system.hub import ENDPOINT, TOKEN_VARIABLE, Hub, refusal


def hub_here() -> Hub:
    """The hub, with the token of `HF_TOKEN`, of Colab's secrets, or of `hf auth login`."""
    return Hub(get_token() or "", os.environ.get("HF_ENDPOINT") or ENDPOINT)


def private_repository(repository: str, *, hub: Hub) -> HfApi:
    """The hub, for writing to this repository, which is made if it is new.

    Raises Forbidden without a token or for one that may not write, BadInput for a repository that
    is public, Unavailable if the hub cannot be reached.
    """
    if not hub.token:
        raise Forbidden(
            f"There is no token for {repository}. Put one that may write into {TOKEN_VARIABLE}; "
            "https://huggingface.co/settings/tokens makes it."
        )
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    with hub_errors(f"write to {repository}"):
        api.create_repo(repository, private=True, exist_ok=True)
        private = api.model_info(repository).private
    if not private:
        raise BadInput(
            f"{repository} is public. What goes there was made from customers' texts: make the "
            "repository private, or name another."
        )
    return api


@contextmanager
def hub_errors(wish: str) -> Iterator[None]:
    """Turns errors of huggingface_hub into ours, without their request: that carries the token."""
    try:
        yield
    except HFValidationError as error:
        raise BadInput(
            f"Could not {wish}: that is no repository. Write organisation/name."
        ) from error
    except HfHubHTTPError as error:
        raise refusal(error.response.status_code, wish) from error
    except httpx2.TransportError as error:
        raise refusal(0, wish) from error
