"""By what an export reads radii: settled once, when it is begun, and named by its snapshot from then on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from app import snapshots
from app.database import Database
from app.exports.schemas import ExportIn
from app.jobs.params import Snapshot
from app.runs import basis as bases
from app.runs.basis import Basis
from app.storage import Storage
from app.tables import Export, Video


def unsettled(
    database: Database, storage: Storage, export: Export, step: Callable[[], None]
) -> dict[int, Basis | None]:
    """What radii of an export's videos are to be read by, as far as its snapshot does not say so.

    Args:
        database: Where measurements are named.
        storage: Where they are.
        export: Which one; of people's labels alone nothing is to be settled.
        step: Called before each video; what it raises ends this.
    """
    if snapshots.layer_of(ExportIn.model_validate(export.spec).include) == "human":
        return {}
    found = {}
    for part in Snapshot.of(export.snapshot).videos:
        if part.basis is msgspec.UNSET:
            step()
            with database.session(readonly=True) as session:
                found[part.id] = bases.present(session, storage, session.get_one(Video, part.id))
    return found


def settle(session: Session, export: Export, found: Mapping[int, Basis | None]) -> None:
    """Write down what radii are read by."""
    snapshot = Snapshot.of(export.snapshot)
    videos = [
        msgspec.structs.replace(part, basis=bases.keep(session, part.id, found[part.id])) if part.id in found else part
        for part in snapshot.videos
    ]
    export.snapshot = msgspec.structs.replace(snapshot, videos=videos).to_row()


def told(found: Mapping[int, Basis | None], engines: Mapping[int, Collection[str]]) -> list[dict[str, Any]]:
    """What the manifest says of videos whose radii are not all as engines gave them: states, and keyframes behind.

    Args:
        found: What radii of each video were read by.
        engines: Those whose radii in the file are not as they gave them, by video.
    """
    return [
        {
            "video_id": video_id,
            "basis": basis.sha256,
            "engines": {
                engine: {
                    regime.name.lower(): {"state": one.state.value, "keyframes": one.keyframes}
                    for regime, one in known.told.items()
                }
                for engine, known in basis.engines.items()
                if engine in engines[video_id]
            },
        }
        for video_id, basis in sorted(found.items())
        if basis is not None and video_id in engines
    ]
