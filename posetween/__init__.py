"""A client of Posetween in Python: ``from posetween import Client``."""

from posetween.client import Client
from posetween.errors import ApiError, JobError
from posetween.poses import Poses

__all__ = ["ApiError", "Client", "JobError", "Poses"]
