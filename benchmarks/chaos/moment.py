"""What a fault is given when it strikes: whom it may harm, and where it writes down what must not be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.chaos.bystander import Bystander
from benchmarks.chaos.installation import Installation
from benchmarks.chaos.load import Load
from benchmarks.chaos.other_lab import OtherLab


@dataclass
class Moment:
    """One moment at which a fault strikes.

    Attributes:
        installation: What is harmed.
        rng: Says who is the victim.
        stage: Work of this kind is under way.
        load: The clients of the lab that works.
        attacker: A lab to attack from.
        bystander: Another lab, whose writes are timed while an attack lasts.
        folder: For files of the fault.
        violations: What must not have happened, as sentences.
        checked: What was looked at.
    """

    installation: Installation
    rng: Random
    stage: str
    load: Load
    attacker: OtherLab
    bystander: Bystander
    folder: Path
    violations: list[str] = field(default_factory=list)
    checked: Counter[str] = field(default_factory=Counter)
