"""Rows for every table of every schema, so that migrations are tried on databases that are in use.

Whoever adds a migration adds an entry to ``ROWS``: a row at least for each table it makes, and rows for whatever its
steps treat differently. Values are plain Python ones. ``python -m tests.migrations.rows`` records the SQLite databases
of released schemas that are missing from the folder ``recorded``.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData

from app.database import Database, connect
from migrations import apply as migrate

#: The schemas that some installation may have; each has a recorded database.
RELEASED = ("0001", "0002", "0003", "0004", "0005", "0006")

RECORDED = Path(__file__).parent / "recorded"

SHA, OTHER_SHA = "0" * 64, "1" * 64
NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)

_VIDEO = {"project_id": 1, "size": 1, "status": "ready", "num_frames": 9, "width": 4, "height": 4, "fps": 25.0}
_FILES = {"frame_table_sha256": SHA, "proxy_sha256": SHA, "proxy_table_sha256": SHA, "duration": 0.36}
_JOB = {"lab_id": 1, "project_id": 1, "video_id": 1, "priority": 0, "attempt": 1, "max_attempts": 3}
_ENDED = {"cancel_requested": False, "version": 3, "progress": 1.0, "stage": "done", "finished_at": NOW}
_RUN = {"engine": "flow", "label_revision": 2, "skeleton_version": 1, "code_version": "0"}

#: Rows by the schema that has room for them, by table, in an order in which they can be inserted.
ROWS: dict[str, dict[str, Sequence[dict[str, Any]]]] = {
    "0001": {
        "blob": [{"sha256": SHA, "size": 1}, {"sha256": OTHER_SHA, "size": 2}],
        "lab": [{"id": 1, "name": "local"}, {"id": 2, "name": "other"}],
        "api_key": [
            {"id": 1, "lab_id": 1, "name": "local admin", "role": "admin", "secret_sha256": SHA},
            {"id": 2, "lab_id": 2, "name": "reader", "role": "reader", "secret_sha256": SHA, "revoked_at": NOW},
        ],
        "idempotency": [{"lab_id": 1, "key": "k", "request": "POST /x", "status": 201, "body": {"id": 1}}],
        "project": [{"id": 1, "lab_id": 1, "name": "p", "skeleton_version": 1}],
        "skeleton_version": [
            {"project_id": 1, "version": 1, "definition": {"name": "s", "keypoints": ["a", "b"], "edges": [[0, 1]]}}
        ],
        "video": [
            {"id": 1, "filename": "f.mp4", "slug": "f", "sha256": SHA, "revision": 2, **_VIDEO, **_FILES},
            {"id": 2, "filename": "g.mp4", "slug": "g", "sha256": OTHER_SHA, "revision": 0, **_VIDEO},
        ],
        "job": [
            {"id": 1, "kind": "ingest", "params": {}, "state": "succeeded", **_JOB, **_ENDED},
            {
                "id": 2,
                "kind": "propagate",
                "params": {"start": 0, "stop": 9, "tracks": [1], "keyframes": None, "engine": "flow"},
                "state": "succeeded",
                "result": {"run_id": 1},
                **_JOB,
                **_ENDED,
            },
            {"id": 3, "kind": "export", "params": {}, "state": "succeeded", **_JOB, **_ENDED, "video_id": None},
            {"id": 4, "kind": "propagate", "params": {}, "state": "queued", **_JOB, **_ENDED, "finished_at": None},
        ],
        "label_revision": [
            {"video_id": 1, "revision": 1, "kind": "put", "key_id": 1},
            {"video_id": 1, "revision": 2, "kind": "put", "key_id": None},
        ],
        "track": [{"video_id": 1, "number": 1, "name": "subject"}],
        "export": [
            {
                "id": 1,
                "project_id": 1,
                "job_id": 3,
                "spec": {"include": ["human"], "images": False},
                "snapshot": {"skeleton_version": 1, "videos": [{"id": 1, "revision": 2, "runs": [1]}]},
                "sha256": OTHER_SHA,
                "manifest": {"file_name": "project-1.json", "files": []},
            }
        ],
        "job_segment": [
            {"job_id": 2, "track_number": 1, "start": 0, "stop": 9, "input_sha256": SHA, "sha256": SHA},
            {"job_id": 4, "track_number": 1, "start": 0, "stop": 9, "input_sha256": SHA, "sha256": None},
        ],
        "run": [{"id": 1, "video_id": 1, "job_id": 2, **_RUN}],
        "label": [
            {
                "video_id": 1,
                "frame_index": 3,
                "track_number": 1,
                "revision": revision,
                "keypoints": b"\0\0\x80?\0\0\x80?\0\0\0@" * 2,
                "changed": b"\1\0",
                "corrects_run_id": run,
            }
            for revision, run in ((1, None), (2, 1))
        ],
    },
    "0002": {
        "upload": [
            {
                "id": "0" * 32,
                "lab_id": 1,
                "project_id": 1,
                "key_id": 1,
                "filename": "h.mp4",
                "description": "",
                "length": 9,
                "state": state,
                "video_id": video_id,
                "expires_at": NOW,
            }
            for state, video_id in (("open", None),)
        ]
    },
    "0003": {
        "browser_session": [{"id": 1, "key_id": 1, "secret_sha256": SHA, "expires_at": NOW}],
        "audit": [
            {
                "id": 1,
                "lab_id": 1,
                "kind": "labels.write",
                "via": "key",
                "key_id": 1,
                "project_id": 1,
                "video_id": 1,
                "details": {"revision": 1},
                "at": NOW,
            }
        ],
    },
    "0004": {
        "job": [
            {
                "id": 5,
                "kind": "propagate",
                "params": {"start": 0, "stop": 9, "tracks": [1], "keyframes": None, "engine": "flow"},
                "state": "running",
                "queue": "gpu",
                "turn": 2.5,
                "work": 9.0,
                "shared": True,
                **_JOB,
                **_ENDED,
                "finished_at": None,
                "owner": "worker",
                "lease_until": 1.0,
            }
        ],
        "job_segment": [
            {
                "job_id": 5,
                "track_number": 1,
                "start": 0,
                "stop": 9,
                "input_sha256": OTHER_SHA,
                "owner": "worker",
                "attempt": 1,
                "lease_until": 1.0,
            }
        ],
    },
    "0005": {
        "job": [{"id": 6, "kind": "pack", "params": {"run_id": 1}, "state": "succeeded", **_JOB, **_ENDED}],
        "run_slab": [{"run_id": 1, "chunk": 0, "block": 0, "input_sha256": SHA, "sha256": SHA}],
    },
    "0006": {
        "job": [
            {"id": 7, "kind": "train", "params": {}, "state": "succeeded", **_JOB, **_ENDED},
            {"id": 8, "kind": "estimate", "params": {"tracks": [1]}, "state": "queued", **_JOB, **_ENDED},
        ],
        "checkpoint": [
            {
                "id": 1,
                "project_id": 1,
                "job_id": 7,
                "estimator": "stdpose",
                "preset": "tiny",
                "skeleton_version": 1,
                "weights_sha256": SHA,
                "metrics": {},
                "epochs": [],
                "pedigree": {},
                "verdict": {},
                "promoted": True,
                "promoted_at": NOW,
            }
        ],
        "checkpoint_file": [{"checkpoint_id": 1, "name": "report.md", "sha256": SHA}],
        "held_out": [{"video_id": 1, "start": 0, "stop": 4, "job_id": 7}],
    },
    "0007": {
        "export_video": [{"export_id": 1, "video_id": 2}],
        "erasure": [{"id": 1, "kind": "video", "thing_id": 9, "lab_id": 1, "made_at": NOW, "erased_at": NOW}],
        "discard": [{"sha256": "2" * 64}],
        "backup_copy": [{"id": 1, "path": "/backups/posetween.db", "made_at": NOW}],
    },
    "0008": {
        "job": [
            {"id": 9, "kind": "export", "params": {}, "state": "queued", "queue": "cpu-quick", **_JOB, **_ENDED},
        ],
    },
    "0009": {
        "track": [{"video_id": 1, "number": 2, "name": "gone", "deleted": True}],
        "track_revision": [
            {
                "video_id": 1,
                "number": 2,
                "revision": 2,
                "name": "gone",
                "deleted": True,
                "name_before": "gone",
                "deleted_before": False,
            }
        ],
    },
    "0013": {"sign_in": [{"id": 1, "key_id": 1, "secret_sha256": SHA, "expires_at": NOW}]},
    "0014": {
        "review": [
            {
                "video_id": 1,
                "number": number,
                "verdict": verdict,
                "undoes": undoes,
                "start": 4,
                "stop": 9,
                "track_number": 1,
                "keypoints": keypoints,
                "radius90": 1.5,
                "label_revision": 2,
                "key_id": 1,
            }
            for number, verdict, undoes, keypoints in ((1, "accept", None, [0]), (2, "undo", 1, None))
        ],
        "review_span": [{"video_id": 1, "number": 1, "track_number": 1, "start": 4, "stop": 9, "run_id": 1}],
    },
    "0016": {
        "job_line": [
            {"job_id": 2, "number": 1, "at": NOW, "what": "queued", "attempt": 0},
            {"job_id": 2, "number": 2, "at": NOW, "what": "begun", "attempt": 1, "worker": "0a1b2c3d"},
            {"job_id": 2, "number": 3, "at": NOW, "what": "stage", "attempt": 1, "text": "propagating"},
        ]
    },
    "0017": {
        "video_share": [
            {"video_id": 1, "state": "2.1.2.1/", "poses": 9, "labelled": 2, "reviewed": 0, "propagated": 3}
        ],
    },
    "0018": {
        "job": [{"id": 10, "kind": "measure", "params": {"run_id": 1}, "state": "queued", **_JOB, **_ENDED}],
        "measurement": [{"video_id": 1, "engine": "flow", "run_id": 1, "keyframes": 2, "sha256": SHA}],
    },
    "0019": {"basis": [{"video_id": 1, "sha256": SHA, "data": '{"version":1,"engines":{}}'}]},
}


def fill(connection: Connection, schema: str) -> None:
    """Insert the rows that a schema has room for and the one before it had not; it must have just been upgraded to."""
    metadata = MetaData()
    metadata.reflect(connection)
    for name, rows in ROWS.get(schema, {}).items():
        table = metadata.tables[name]
        made = [column.name for column in table.columns if column.name == "created_at"]
        for row in rows:
            connection.execute(table.insert().values({**dict.fromkeys(made, NOW), **row}))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")


def filled(url: str, schema: str) -> Database:
    """A database of a schema with rows of it and of all before it in its tables."""
    database = connect(url)
    for step in migrate.schemas():
        migrate.upgrade(database, step)
        with database.engine.begin() as connection:
            fill(connection, step)
        if step == schema:
            return database
    raise ValueError(f"there is no schema {schema}")


def contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables but those of alembic and the duties, by table."""
    metadata = MetaData()
    with database.engine.connect() as connection:
        metadata.reflect(connection)
        return {
            table.name: sorted((tuple(row) for row in connection.execute(table.select())), key=repr)
            for table in metadata.sorted_tables
            if table.name not in ("alembic_version", "duty")
        }


def record(schema: str) -> None:
    """Write the SQLite database of a schema down as SQL."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "posetween.db"
        filled(f"sqlite:///{file}", schema).dispose()
        with closing(sqlite3.connect(file)) as connection:
            lines = [" ".join(line.split()) for line in connection.iterdump()]
    (RECORDED / f"{schema}.sql").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    RECORDED.mkdir(exist_ok=True)
    for missing in RELEASED:
        if not (RECORDED / f"{missing}.sql").exists():
            record(missing)
