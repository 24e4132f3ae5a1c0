"""How far an export is: bars with rate and time left, or lines where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from backend.zoho.running import Step


class _Rate(ProgressColumn):
    """Records a second."""

    def render(self, task: Task) -> Text:
        """The rate of the last half minute, or nothing yet."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


@contextmanager
def progress(console: Console) -> Iterator[Watch]:
    """Bars on a terminal; elsewhere a line when a stream's phase begins."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        yield Watch(bars, console)


class Watch:
    """Shows each step."""

    def __init__(self, bars: Progress, console: Console) -> None:
        self._bars, self._console = bars, console
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __call__(self, step: Step) -> None:
        """One step further."""
        name = (step.stream, step.phase)
        if not step.done and (name in self._tasks or step.total == 0):
            return  # the look at the end for what changed meanwhile, mostly nothing
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(f"{step.phase} {step.stream}", total=step.total)
            if not self._console.is_terminal:
                of = "" if step.total is None else f" {step.total - step.done:,} records"
                self._console.print(f"{step.phase} {step.stream}{of}")
        self._bars.update(self._tasks[name], completed=step.done, total=step.total)
