"""When keys were last used: noted in memory by requests and written down beside them, so that reading stays reading."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta

import anyio
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import or_, update
from sqlalchemy.exc import SQLAlchemyError

from app.database import Database
from app.tables import ApiKey
from app.turns import FairTurns

log = logging.getLogger(__name__)

#: A key's moment is written at most this often.
INTERVAL = timedelta(minutes=1)
_LOOK_SECONDS = 1.0


class Usage:
    """Which keys were used since they were last written down."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: dict[int, datetime] = {}
        self._pending: dict[int, datetime] = {}

    def note(self, key_id: int) -> None:
        """A key is being used."""
        now = datetime.now(UTC)
        with self._lock:
            if key_id not in self._noted or now - self._noted[key_id] >= INTERVAL:
                self._noted[key_id] = self._pending[key_id] = now

    def write(self, database: Database) -> None:
        """Write down what was noted; where the database has no time for it, the next time will do."""
        with self._lock:
            pending, self._pending = self._pending, {}
        if not pending:
            return
        try:
            with database.session() as session:
                for key_id, moment in pending.items():
                    older = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < moment)
                    session.execute(update(ApiKey).where(ApiKey.id == key_id, older).values(last_used_at=moment))
        except SQLAlchemyError:
            log.warning("when keys were used could not be written this time", exc_info=True)
            with self._lock:
                self._pending = pending | self._pending

    async def keep_writing(self, database: Database, turn: FairTurns) -> None:
        """Write whenever there is something to write, taking turns with the requests that write."""
        while True:
            await anyio.sleep(_LOOK_SECONDS)
            if self._pending:
                async with turn.of(None):
                    await run_in_threadpool(self.write, database)
