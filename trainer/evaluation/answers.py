"""Lets each subject answer each ticket, and saves every answer as it comes.

An evaluation that was broken off goes on with the first answer that is missing. Answers of a
subject that has changed since, or to another prompt, are asked for anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tqdm import tqdm

from backend.domain.errors import BadInput
from backend.domain.example import Example, training_messages
from backend.domain.prompt import FORMAT
from backend.system.files import write_whole
from trainer.evaluation.subjects import Subject, TimedReply, resident
from trainer.record import DEFAULT_PROMPT_TOKENS, fingerprint

ANSWERS = "answers.jsonl"
_METHOD = 3
"""Of asking and measuring; answers of another one are asked for anew."""


@dataclass(frozen=True)
class SubjectAnswer:
    """A subject's reply to a ticket; `memory` is what loading the subject added, in bytes."""

    subject: str
    source: str
    mark: str
    reply: TimedReply
    memory: int

    def to_json(self) -> str:
        """One line of the file."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(line: str) -> SubjectAnswer:
        """The answer in a line."""
        row = json.loads(line)
        return SubjectAnswer(**{**row, "reply": TimedReply(**row["reply"])})


@dataclass(frozen=True)
class Asking:
    """How the subjects are asked: all in the same way.

    `prompt_tokens` are those of the subjects' cards and records if they are None here. `letters`
    gives each answer exactly so many: nobody may end before, and the rest is cut, so that what is
    shared with the human answer does not go by length. 0: answers end where they like.
    """

    prompt_tokens: int | None = None
    answer_tokens: int = 320
    letters: int = 0

    def __post_init__(self) -> None:
        if self.prompt_tokens is not None and self.prompt_tokens < 1:
            raise BadInput(
                f"A prompt of {self.prompt_tokens} tokens cannot be. --prompt-tokens is 1 or more; "
                "left out, it is what the subjects are served with."
            )
        if self.answer_tokens < 1 or self.letters < 0:
            raise BadInput(
                f"An answer of {self.answer_tokens} tokens and {self.letters} letters cannot be. "
                "--answer-tokens is 1 or more; --letters is 0 for answers that end by themselves."
            )


def answers(
    subjects: Sequence[Subject], examples: Sequence[Example], *, out: Path, asking: Asking
) -> list[SubjectAnswer]:
    """All answers, in the order of subjects and examples; those in `out` are not asked again."""
    asking = replace(asking, prompt_tokens=prompt_tokens(subjects, asking))
    path = out / ANSWERS
    known = {(answer.subject, answer.source, answer.mark): answer for answer in _saved(path)}
    found: list[SubjectAnswer] = []
    for subject in subjects:
        passages = subject.served().passages
        mark = fingerprint(subject.mark(), FORMAT, asdict(asking), passages, _METHOD)
        keys = [(subject.name, example.source, _mark(mark, example)) for example in examples]
        missing = [
            (example, key[2])
            for example, key in zip(examples, keys, strict=True)
            if key not in known
        ]
        if missing:
            for answer in _asked(subject, missing, asking):
                known[answer.subject, answer.source, answer.mark] = answer
                with path.open("a", encoding="utf-8") as file:
                    file.write(answer.to_json() + "\n")
        found += [known[key] for key in keys]
    return found


def prompt_tokens(subjects: Sequence[Subject], asking: Asking) -> int:
    """The budget of a prompt: as asked for, else the one that the subjects are served with.

    Raises BadInput if they are served with different ones, since only equal prompts compare.
    """
    if asking.prompt_tokens is not None:
        return asking.prompt_tokens
    told = {subject.name: subject.served().prompt_tokens for subject in subjects}
    told = {name: tokens for name, tokens in told.items() if tokens}
    if len(set(told.values())) > 1:
        each = ", ".join(f"{name} with {tokens}" for name, tokens in told.items())
        raise BadInput(
            f"These are served with prompts of different length: {each} tokens. Say which one all "
            "are to be asked with: --prompt-tokens."
        )
    return next(iter(told.values()), DEFAULT_PROMPT_TOKENS)


def _asked(
    subject: Subject, examples: Sequence[tuple[Example, str]], asking: Asking
) -> Iterator[SubjectAnswer]:
    """Memory is read after the reply and before the human answer, which serving never reads."""
    budget = asking.prompt_tokens or DEFAULT_PROMPT_TOKENS
    passages = subject.served().passages
    before = resident()
    with subject.loaded() as model:
        for example, mark in tqdm(examples, desc=subject.name, unit="ticket", mininterval=2):
            if passages >= 0:
                example = replace(example, passages=example.passages[:passages])
            chat = training_messages(example, budget=budget)
            reply = model.reply(chat[:-1], tokens=asking.answer_tokens, letters=asking.letters)
            memory = max(resident() - before, 0)
            found = model.answer_loss(chat)
            if found:
                reply = replace(reply, loss=found.nats, loss_tokens=found.tokens)
            yield SubjectAnswer(subject.name, example.source, mark, reply, memory)


def _mark(mark: str, example: Example) -> str:
    return fingerprint(mark, example.to_json())


def _saved(path: Path) -> Iterator[SubjectAnswer]:
    """The answers in the file. The last line of a killed evaluation may be cut; it is left out."""
    if not path.is_file():
        return
    whole = path.read_text(encoding="utf-8")
    if not whole.endswith("\n"):
        whole = whole[: whole.rfind("\n") + 1]
        write_whole(path, whole)
    for line in whole.split("\n"):
        if line:
            yield SubjectAnswer.from_json(line)
