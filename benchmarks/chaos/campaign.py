"""Harm an installation again and again, each fault at many moments, and audit it after each fault."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx2
from sqlalchemy import func, select

from app.jobs.states import FINISHED
from app.tables import Blob, Discard, Job
from benchmarks.chaos.bystander import Bystander
from benchmarks.chaos.clients import NoAnswer, Refused
from benchmarks.chaos.faults import Fault
from benchmarks.chaos.installation import Installation
from benchmarks.chaos.invariants import Evidence, audit
from benchmarks.chaos.journal import Journal
from benchmarks.chaos.load import FRAMES, STAGES, Load
from benchmarks.chaos.mending import ACTS
from benchmarks.chaos.moment import Moment
from benchmarks.chaos.other_lab import OtherLab
from benchmarks.chaos.watching import Sample, Watcher, log_segments, look

_STAGE_PATIENCE = 6.0  # for work of the wanted stage to be under way
_BACK_PATIENCE = 90.0
_REST_PATIENCE = 180.0
_BEFORE_SECONDS = 2.0  # in which another lab's writes are timed while nobody attacks


@dataclass
class Outcome:
    """What came of one fault.

    Attributes:
        fault: Its name.
        skipped: Why it was not tried.
        under_way: At how many of the moments work of each stage was under way.
        recoveries: Seconds from the end of each fault until everything was back.
        answers: How often clients were answered each status of 500 and more.
        ended: How often a process ended by itself and was started again.
        checked: What was audited.
        violations: Sentences.
        writes: Seconds that another lab's writes took while an attack lasted.
        writes_before: The same just before each of them.
    """

    fault: str
    skipped: str | None = None
    under_way: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    ended: int = 0
    checked: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    writes_before: list[float] = field(default_factory=list)


class Campaign:
    """All faults against one installation.

    Args:
        installation: What is harmed.
        folder: For the clip of the load.
        rng: For moments and victims.
    """

    def __init__(self, installation: Installation, folder: Path, rng: Random) -> None:
        self._installation = installation
        self._folder = folder
        self._rng = rng
        log_segments(installation.database)
        self._load = Load(installation, folder, Random(rng.getrandbits(64)))
        self._evidence = Evidence(installation.database, installation.storage, installation.settings.lease_seconds)
        self._watcher = Watcher(installation, self._saw)
        self._attacker = OtherLab(installation, "attacker", self._aside(), Random(rng.getrandbits(64)))
        quiet = OtherLab(installation, "bystander", self._load.journal, Random(rng.getrandbits(64)))
        video_id = quiet.bring(self._load.clip(rng))
        self._bystander = Bystander(quiet.client, video_id, FRAMES, lambda: self._load.journal)

    def run(self, faults: list[Fault], rounds: int) -> list[Outcome]:
        """Try each fault so many times."""
        self._load.start()
        self._watcher.start()
        try:
            outcomes = [self._try(fault, rounds) for fault in faults]
        finally:
            self._load.end()
            self._watcher.end()
        outcomes[-1].violations += [f"posetween storage check: {fault}" for fault in self._installation.check_storage()]
        return outcomes

    def _saw(self, sample: Sample) -> None:
        self._evidence.samples.append(sample)

    def _try(self, fault: Fault, rounds: int) -> Outcome:
        lacks = fault.lacks(self._installation)
        if lacks is not None:
            return Outcome(fault.name, skipped=lacks)
        outcome = Outcome(fault.name)
        ended, refused = self._ended(), self._refused()
        self._load.go_on()
        self._evidence.samples = []
        stages = [STAGES[number % len(STAGES)] for number in range(rounds)]
        self._rng.shuffle(stages)
        for number, stage in enumerate(stages, 1):
            self._harm(fault, stage, outcome)
            self._say(f"{fault.name}, {number} of {rounds} ({stage}): back after {outcome.recoveries[-1]:.1f} s")
        unrested = self._load.rest(_REST_PATIENCE)
        self._await_the_end_of_all_jobs()
        if not unrested:
            self._load.erase_one_more()
            self._await_the_end_of_all_jobs()
        outcome.ended = self._ended() - ended
        outcome.answers = self._load.journal.answers
        self._evidence.journal = self._load.journal
        outcome.checked += self._counted() + Counter({"storage calls failed": self._refused() - refused})
        outcome.violations += [f"load: {name} did not come to rest" for name in unrested]
        outcome.violations += [f"load: {trouble}" for trouble in self._load.troubles]
        self._load.troubles.clear()
        if self._bystander.unanswered:
            outcome.violations.append(f"bystander: {self._bystander.unanswered} writes of another lab were not done")
            self._bystander.unanswered = 0
        outcome.violations += audit(self._evidence)
        self._turn_the_page()
        for violation in outcome.violations:
            self._say(f"VIOLATION {violation}")
        return outcome

    def _aside(self) -> Journal:
        """For who is not held to what is promised to annotators, but to whom nobody answers 500 either."""
        return Journal(answers=self._load.journal.answers, mistakes=self._load.journal.mistakes)

    def _harm(self, fault: Fault, stage: str, outcome: Outcome) -> None:
        deadline = time.monotonic() + _STAGE_PATIENCE
        while not self._load.under_way()[stage] and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(self._rng.random() / 3)
        for kind, count in self._load.under_way().items():
            outcome.under_way[kind] += count > 0
        self._attacker.client.journal = self._aside()
        moment = Moment(self._installation, self._rng, stage, self._load, self._attacker, self._bystander, self._folder)
        if fault.attack:
            with self._bystander.writing():
                time.sleep(_BEFORE_SECONDS)
            outcome.writes_before += self._bystander.taken()
        try:
            self._strike(fault, moment)
        except (NoAnswer, Refused, httpx2.HTTPError) as error:
            moment.violations.append(f"campaign: {fault.name}: {type(error).__name__} {error}")
        outcome.writes += self._bystander.taken()
        outcome.checked += moment.checked
        outcome.violations += moment.violations
        began = time.monotonic()
        if not self._wait_until_back(began):
            outcome.violations.append(f"campaign: not back {_BACK_PATIENCE:.0f} s after {fault.name}, {stage}")
        outcome.recoveries.append(time.monotonic() - began)

    def _strike(self, fault: Fault, moment: Moment) -> None:
        mend = fault.strike(moment)
        if mend is not None:
            try:
                time.sleep(self._rng.uniform(*fault.seconds))
            finally:
                mend()

    def _wait_until_back(self, began: float) -> bool:
        """Every process does its work, a label was written since, and no job is without a worker."""
        while time.monotonic() < began + _BACK_PATIENCE:
            times = self._load.journal.label_times
            if times and times[-1] > began:
                seen = look(self._installation)
                if seen.back and not seen.orphans:
                    return True
            time.sleep(0.05)
        return False

    def _await_the_end_of_all_jobs(self) -> None:
        """And of erasing: objects go a moment after the rows."""
        deadline = time.monotonic() + _REST_PATIENCE
        unfinished = select(func.count()).where(Job.state.not_in(FINISHED))
        while time.monotonic() < deadline:
            with self._installation.database.session(readonly=True) as session:
                if not session.scalar(unfinished) and not session.scalar(select(func.count(Discard.sha256))):
                    return
            time.sleep(0.2)

    def _counted(self) -> Counter[str]:
        journal = self._evidence.journal
        with self._installation.database.session(readonly=True) as session:
            query = select(Job.kind, Job.state, func.count()).where(Job.id >= self._evidence.first_job)
            rows = session.execute(query.group_by(Job.kind, Job.state)).all()
        ended = Counter({f"{kind} {state}": count for kind, state, count in rows})
        told = {"labels": journal.labels, "uploads": journal.uploads}
        told |= {"absences": journal.absent}
        told |= {f"undone: {act}": [one for one in journal.mended if one.act == act] for act in sorted(ACTS)}
        thrown = {"videos erased": journal.erased, "videos restored": journal.restored}
        return ended + Counter({what: len(those) for what, those in {**told, **thrown}.items()})

    def _ended(self) -> int:
        return sum(process.ended_by_itself for process in self._installation.processes)

    def _refused(self) -> int:
        return self._installation.proxy.failed if self._installation.proxy is not None else 0

    def _turn_the_page(self) -> None:
        with self._installation.database.session(readonly=True) as session:
            self._evidence.first_job = (session.scalar(select(func.max(Job.id))) or 0) + 1
            self._evidence.audited = set(session.scalars(select(Blob.sha256)))

    def _say(self, sentence: str) -> None:
        print(f"[{self._installation.name}] {sentence}", file=sys.stderr, flush=True)
