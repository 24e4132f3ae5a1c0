"""Rotary positions: how they are scaled, and which rows of a head they turn together.

transformers turns the two halves of a head (or, for GPT-J, neighbours); llama.cpp has both ways
too, but an architecture has only one of them. Where they differ, rows change their places, which
changes nothing in the product of query and key.
"""

from __future__ import annotations

import math

import numpy as np

from backend.domain.errors import UnusableModel
from trainer.families.family import Array, Config


def rope(config: Config) -> dict[str, object]:
    """The settings of the rotary angles, in the old spelling of config.json or in the new one."""
    found = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    kind = found.get("rope_type", found.get("type", "default"))
    base = found.get("rope_theta") or config.get("rope_theta") or 10_000.0
    if found.get("partial_rotary_factor", config.get("partial_rotary_factor") or 1) != 1:
        raise UnusableModel("Heads that are turned in part only cannot be written as GGUF yet.")
    return {**found, "kind": kind, "base": float(base)}


def rope_numbers(config: Config) -> dict[str, int | float | str]:
    """The GGUF's keys for the rotary angles. Raises UnusableModel for a kind it cannot express."""
    found = rope(config)
    numbers: dict[str, int | float | str] = {"rope.freq_base": _number(found["base"])}
    if found["kind"] in ("linear", "yarn"):
        numbers["rope.scaling.type"] = str(found["kind"])
        numbers["rope.scaling.factor"] = _number(found["factor"])
    if found["kind"] == "yarn":
        original = found.get("original_max_position_embeddings")
        numbers["rope.scaling.original_context_length"] = int(
            _number(original or config["max_position_embeddings"])
        )
    elif found["kind"] not in ("default", "linear", "llama3"):
        raise UnusableModel(
            f"Rotary angles of the kind {found['kind']!r} cannot be written as GGUF yet. "
            "llama.cpp's own converter may know it: `export --converter PATH`."
        )
    return numbers


def llama3_factors(config: Config, head_size: int) -> Array | None:
    """By what Llama 3.1 and later divide each angle's speed; None for other models.

    After `_compute_llama3_parameters` in transformers' modeling_rope_utils.py.
    """
    found = rope(config)
    if found["kind"] != "llama3":
        return None
    factor, low, high, original = (
        _number(found[name])
        for name in (
            "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings",
        )
    )  # fmt: skip
    speeds = _number(found["base"]) ** -(np.arange(0, head_size, 2, dtype=np.float64) / head_size)
    waves = 2 * math.pi / speeds
    smooth = (original / waves - low) / (high - low)
    between = 1 / ((1 - smooth) / factor + smooth)
    factors = np.where(
        waves < original / high, 1.0, np.where(waves > original / low, factor, between)
    )
    return factors.astype(np.float32)


def halves_as_neighbours(heads: int, size: int) -> Array:
    """The order of rows that makes neighbours of what stood in the two halves of a head."""
    one = np.arange(size).reshape(2, size // 2).T.ravel()
    return _for_each_head(one, heads, size)


def neighbours_as_halves(heads: int, size: int, turned: int) -> Array:
    """The opposite, where only the first `turned` rows of a head are turned."""
    one = np.concatenate([np.arange(turned).reshape(-1, 2).T.ravel(), np.arange(turned, size)])
    return _for_each_head(one, heads, size)


def _for_each_head(order: Array, heads: int, size: int) -> Array:
    return (np.arange(heads)[:, None] * size + order).ravel()


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise UnusableModel(f"config.json gives {value!r} where a number belongs.")
    return float(value)
