"""The worker: takes queued candidates out of the database and has their models write them.

One asyncio loop. A candidate is a task; what was cancelled in the database is cancelled here within
a quarter of a second, which closes the connection to the model and frees its slot.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from sqlite_utils import Database

from backend.domain.errors import Unavailable, UnusableModel
from backend.privacy.detect import recogniser_named, warm_up
from backend.privacy.placeholders import redact
from backend.services.answer import Answered, Engines, answer
from backend.settings import Settings, read_settings
from backend.store import queue
from backend.store.database import open_database
from backend.store.models import SERVING, Model, Runner, models, runners
from backend.store.queue import Work
from backend.system.logging import start_log
from backend.system.processes import die_with_parent

POLL_SECONDS = 0.015
WATCH_SECONDS = 0.2
LOOK_SECONDS = 0.25
STORE_PAUSE_SECONDS = 5.0
GIVE_UP_SECONDS = 1.0


@dataclass
class Worker:
    """What the loop knows: its tasks by claim, and how many each model has."""

    settings: Settings
    db: Database
    log: structlog.typing.FilteringBoundLogger
    engines: Engines
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    running: Counter[str] = field(default_factory=Counter)
    absent_since: dict[str, float] = field(default_factory=dict)
    look_at: float = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Works until told to stop; what is unfinished then is for the next worker."""
        watch = asyncio.create_task(self._watch())
        clock, seen = asyncio.get_running_loop().time, -1
        while not stop.is_set() and not watch.done():
            version = self._version()
            if version != seen or clock() >= self.look_at:
                seen, self.look_at = version, clock() + LOOK_SECONDS
                self._claim_all()
            await asyncio.sleep(POLL_SECONDS)
        watch.cancel()
        self._report(watch)
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), watch, return_exceptions=True)
        queue.hand_back(self.db)

    def _version(self) -> int:
        """A number that changes when another process has written: cheaper than looking."""
        (version,) = self.db.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _claim_all(self) -> None:
        known = {model.name: model for model in models(self.db)}
        running = runners(self.db)
        while True:
            free = [
                name for name, model in known.items() if self._has_slot(model, running.get(name))
            ]
            try:
                work = queue.claim(
                    free, lease_seconds=self.settings.suggest.lease_seconds, db=self.db
                )
            except Unavailable as error:
                self.log.error("store_unavailable", problem=type(error).__name__)
                self.look_at += STORE_PAUSE_SECONDS
                return
            if work is None:
                return
            self.running[work.model] += 1
            task = asyncio.create_task(
                self._answer(work, known[work.model], running.get(work.model))
            )
            task.add_done_callback(self._report)
            self.tasks[work.claim] = task

    def _report(self, task: asyncio.Task[None]) -> None:
        """An error of ours: the candidate's lease runs out and it is tried again."""
        if task.done() and not task.cancelled() and (error := task.exception()):
            self.log.error("worker_error", exc_info=error)

    def _has_slot(self, model: Model, runner: Runner | None) -> bool:
        if model.kind == "nearest":
            return True
        if model.kind == "chat":
            return self.running[model.name] < self.settings.suggest.outside_slots
        return (
            runner is not None
            and runner.state in SERVING
            and self.running[model.name] < self.settings.runner.slots
        )

    async def _answer(self, work: Work, model: Model, runner: Runner | None) -> None:
        log = self.log.bind(candidate=work.candidate_id, model=model.name, attempt=work.attempts)
        try:
            engine = self.engines.engine(model, runner=runner, exclude_source=work.external_id)
            how = await answer(work, model=model, engine=engine, settings=self.settings, db=self.db)
            log.info("candidate_" + how.state, **_facts(how))
        except UnusableModel as error:
            queue.fail(work, type(error).__name__, str(error), db=self.db)
            log.warning("candidate_failed", problem=type(error).__name__)
        except Unavailable as error:
            log.error("store_unavailable", problem=type(error).__name__)
            await asyncio.sleep(STORE_PAUSE_SECONDS)
        finally:
            self.running[work.model] -= 1
            self.tasks.pop(work.claim, None)
            self.look_at = 0.0

    async def _watch(self) -> None:
        """Keeps leases, notices what was cancelled, gives up on models that do not come."""
        clock = asyncio.get_running_loop().time
        renewed = given_up = 0.0
        lease = self.settings.suggest.lease_seconds
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                due = clock() - renewed > lease / 4
                self._look_after_claims(lease if due else 0.0)
                renewed = clock() if due else renewed
                if clock() - given_up > GIVE_UP_SECONDS:
                    given_up = clock()
                    self._give_up()
            except Unavailable as error:  # the disk is full, or the database locked: it passes
                self.log.error("store_unavailable", problem=type(error).__name__)

    def _look_after_claims(self, lease: float) -> None:
        """Renews all leases, if `lease` is given, and ends tasks whose claim is no longer held."""
        mine = list(self.tasks)
        if not mine:
            return
        still = queue.renew(mine, lease_seconds=lease, db=self.db) if lease else queue.held(self.db)
        for claim in mine:
            if claim not in still and claim in self.tasks:
                self.tasks[claim].cancel()

    def _give_up(self) -> None:
        running = runners(self.db)
        for model in models(self.db):
            runner = running.get(model.name)
            if model.kind != "gguf" or (runner and runner.state in SERVING):
                self.absent_since.pop(model.name, None)
                continue
            self._give_up_on(model, runner)

    def _give_up_on(self, model: Model, runner: Runner | None) -> None:
        """Fails what waited too long, if the model was away for as long: a queue may be long."""
        clock = asyncio.get_running_loop().time()
        limit = self.settings.suggest.runner_wait_seconds
        away = clock - self.absent_since.setdefault(model.name, clock)
        detail = f"{model.name} was not running for {limit:.0f} s."
        if runner and runner.state == "failed":
            limit, detail = 0.0, f"{model.name} cannot run: {runner.problem}"
        if away < limit:
            return
        before = datetime.now(UTC) - timedelta(seconds=limit)
        queue.give_up_waiting(
            model.name,
            queued_before=before.isoformat(timespec="milliseconds"),
            detail=f"{detail} An admin sees more with `suggest-answer models list`.",
            db=self.db,
        )


def _facts(how: Answered) -> dict[str, object]:
    return {
        "seconds": round(how.seconds, 3),
        "characters": how.characters,
        "prompt_tokens": how.usage.prompt_tokens,
        "cached_tokens": how.usage.cached_tokens,
        "completion_tokens": how.usage.completion_tokens,
        "problem": how.problem or None,
    }


async def run_worker(settings: Settings) -> None:
    """Runs a worker until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log = start_log(settings.log_file, level=settings.log.level, process="worker", redact=redact)
    db = open_database(settings.database)
    warm_up()
    recogniser_named(settings.privacy.recogniser)
    log.info("worker_started")
    await Worker(settings, db, log, Engines(settings, db)).run(stop)
    log.info("worker_stopped")


if __name__ == "__main__":
    die_with_parent()
    asyncio.run(run_worker(read_settings()))
