"""A larger recogniser that an admin installed, by its name in the settings."""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import cast

from backend.domain.errors import BadSettings
from backend.privacy.finding import Recogniser


@lru_cache(maxsize=4)
def recogniser_named(name: str) -> Recogniser | None:
    """What `module:function` makes, kept for good; None for no name.

    The function takes nothing and returns a recogniser (see docs/privacy.md). Raises BadSettings
    where it is missing.
    """
    if not name:
        return None
    module, _, function = name.partition(":")
    try:
        made = getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise BadSettings(
            f"privacy.recogniser is {name!r}, which cannot be used: {error}. Write it as "
            "module:function, where the function takes nothing and returns a recogniser."
        ) from error
    return cast(Recogniser, made)
