"""Where the shared sets of real texts lie, which not every machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
on_shared_sets = pytest.mark.skipif(
    not SHARED.exists(), reason=f"measures on the shared sets, which are not in {SHARED}"
)
"""The mark of a test that measures on these sets; every other test runs without them."""
