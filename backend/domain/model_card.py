"""What a model file says about itself: `model_card.json` beside the GGUF."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from backend.domain import prompt
from backend.domain.errors import UnusableModel, WrongPromptFormat

FILE_NAME = "model_card.json"


@dataclass(frozen=True)
class ModelCard:
    """The facts of one GGUF. Hashes are sha256 in lower-case hex.

    `prompt_format` is empty for a model that was tuned on none of ours (a base model).
    `passages` is how many of them the model was taught to read in a prompt; -1 leaves the choice to
    the settings.
    """

    name: str
    sha256: str
    base: str = ""
    method: str = ""
    dataset_sha256: str = ""
    prompt_format: str = ""
    chat_template_sha256: str = ""
    quantisation: str = ""
    licence: str = ""
    created: str = ""
    context_tokens: int = 0
    prompt_tokens: int = 0
    passages: int = -1
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for fact in fields(self):
            value = getattr(self, fact.name)
            kind = {"str": str, "int": int}.get(str(fact.type), Mapping)
            if not isinstance(value, kind) or isinstance(value, bool):
                raise UnusableModel(
                    f"The model card says {fact.name} is {value!r}. Export the model again."
                )
        if not self.name.strip():
            raise UnusableModel("The model card gives no name. Export the model again.")

    def to_json(self) -> str:
        """The card as indented JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"

    @staticmethod
    def from_json(text: str | bytes) -> ModelCard:
        """The card in a JSON text. Raises UnusableModel for anything else."""
        try:
            return ModelCard(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise UnusableModel(
                f"The model card cannot be read: {error}. Export the model again."
            ) from error


def check_prompt_format(card: ModelCard) -> None:
    """Raises WrongPromptFormat if the model was tuned on prompts we do not write."""
    if card.prompt_format and card.prompt_format != prompt.FORMAT:
        raise WrongPromptFormat(
            f"{card.name} was trained on prompt format {card.prompt_format}, but this backend "
            f"writes format {prompt.FORMAT}. Train it again with `python -m trainer train`, "
            f"or serve {card.base or 'its base'}."
        )
