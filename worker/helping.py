"""The kinds of jobs that a worker without one helps with."""

from __future__ import annotations

from collections.abc import Callable

from app.estimates.service import ESTIMATE
from app.runs.service import PROPAGATE
from worker import estimate, propagate
from worker.context import HelperContext

#: Computes segments of a job as long as it is told to go on; tells whether this worker can help with that job.
Help = Callable[[HelperContext, Callable[[], bool]], bool]

HELPED: dict[str, Help] = {PROPAGATE: propagate.help_out, ESTIMATE: estimate.help_out}
