"""A training row: a question, the answer a person sent, and where both came from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from backend.domain.errors import BadInput
from backend.domain.passage import Passage
from backend.domain.prompt import Message, render

Split = Literal["train", "validation", "golden"]


@dataclass(frozen=True)
class Example:
    """One row of `examples.jsonl`. `source` says where it comes from, such as `ticket:lp-1001`."""

    question: str
    answer: str
    source: str
    language: str = ""
    created: str = ""
    split: Split = "train"
    passages: tuple[Passage, ...] = ()

    def __post_init__(self) -> None:
        for name in ("question", "answer", "source"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise BadInput(f"An example needs a {name}; this one ({self.source}) has none.")
        if self.split not in get_args(Split):
            raise BadInput(f"{self.split!r} is no split; there are {', '.join(get_args(Split))}.")

    def to_json(self) -> str:
        """The row as one line of JSON, keys in a fixed order."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(line: str) -> Example:
        """The example in a line of `examples.jsonl`. Raises BadInput for anything else."""
        try:
            row = dict(json.loads(line))
            row["passages"] = tuple(Passage(**passage) for passage in row.get("passages", ()))
            return Example(**row)
        except (ValueError, TypeError) as error:
            raise BadInput(f"This line is no example: {error}.") from error


def training_messages(example: Example, *, budget: int) -> list[Message]:
    """The prompt as it is served, then the answer: what the model is trained on."""
    prompt = render(example.question, example.passages, budget=budget)
    return [*prompt.messages, {"role": "assistant", "content": example.answer}]
