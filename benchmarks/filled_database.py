"""A database with as many realistic rows as one likes, made by the database itself; what ``scaling_costs`` measures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, event, text

from app.database import Database, connect
from migrations.apply import upgrade

LABS, KEYS = 100, 1000
#: Of each thousand jobs so many wait, and so many are being done.
QUEUED, RUNNING = 10, 1
LABELS_OF_A_VIDEO, SEGMENTS_OF_A_JOB = 1000, 10

_SHA = {"postgresql": "encode(sha256(({0})::text::bytea), 'hex')", "sqlite": "sha({0})"}
_BYTES = {"postgresql": "substr(decode(repeat(md5(({0})::text), 20), 'hex'), 1, {1})", "sqlite": "randomblob({1})"}
_JSON = {"postgresql": "('{0}')::json", "sqlite": "'{0}'"}
_NOW = {"postgresql": "now()", "sqlite": "'2026-11-23 09:00:00.000000'"}
_TRUE = {"postgresql": "true", "sqlite": "1"}


@dataclass(frozen=True)
class Filled:
    """A filled database.

    Attributes:
        database: The open database.
        rows: Rows of each table.
        sizes: Bytes of each table with its indexes.
        videos: How many videos there are, with ids from 1.
    """

    database: Database
    rows: dict[str, int]
    sizes: dict[str, int]
    videos: int


def fill(url: str, count: int) -> Filled:
    """Make ``count`` labels, revisions, jobs, segments and audit entries, and what goes with them."""
    database = connect(url)
    upgrade(database)
    dialect = database.engine.dialect.name
    if dialect == "sqlite":
        event.listen(database.engine, "connect", _lend_sha)
        database.engine.dispose()
    videos = max(LABS, count // LABELS_OF_A_VIDEO)
    rows, sizes = {}, {}
    for table, number, columns in _tables(dialect, count, videos):
        before = _size(database, table)
        with database.engine.begin() as connection:
            if dialect == "postgresql":
                connection.execute(text("SET LOCAL session_replication_role = replica"))
            _insert(connection, dialect, table, number, columns)
        rows[table] = number
        sizes[table] = _size(database, table) - (before if dialect == "sqlite" else 0)
    with database.engine.connect() as connection:
        if dialect == "postgresql":
            connection.execution_options(isolation_level="AUTOCOMMIT")
            for table in rows:
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {rows[table]})"
                    if table in ("lab", "api_key", "project", "video", "job", "run", "audit")
                    else "SELECT 1"
                )
            connection.exec_driver_sql("VACUUM ANALYZE")
        else:
            connection.exec_driver_sql("ANALYZE")
    return Filled(database, rows, sizes, videos)


def _tables(dialect: str, count: int, videos: int) -> list[tuple[str, int, dict[str, str]]]:
    now, true = _NOW[dialect], _TRUE[dialect]

    def sha(of: str) -> str:
        return _SHA[dialect].format(of)

    def blob(of: str, length: int) -> str:
        return _BYTES[dialect].format(of, length)

    def text_of(value: str) -> str:
        return _JSON[dialect].format(value)

    params = text_of(
        '{"engine": "auto", "adapt": false, "tracks": [1, 2], "start": 0, "stop": 9000, "keyframes": null}'
    )
    result = text_of('{"run_id": 123456, "cuts": {"version": "1", "frames": [], "scanned": [[0, 9000]]}}')
    details = text_of('{"revision": 1234, "written": 1}')
    lab, video = f"1 + i % {LABS}", f"1 + i % {videos}"
    kind = "CASE WHEN i % 10 < 7 THEN 'propagate' ELSE 'ingest' END"
    queue = "CASE WHEN i % 10 < 7 THEN 'gpu' ELSE 'cpu' END"
    place = "(i * 7919) % 1000"
    running = f"{place} >= {QUEUED} AND {place} < {QUEUED + RUNNING}"
    state = f"CASE WHEN {place} < {QUEUED} THEN 'queued' WHEN {running} THEN 'running' ELSE 'succeeded' END"
    held = f"CASE WHEN {running} THEN 'worker-17:1234:0a1b2c3d' END"
    lease = f"CASE WHEN {running} THEN 4102444800.0 END"
    return [
        ("lab", LABS, {"id": "i", "name": "'lab'", "created_at": now}),
        ("api_key", KEYS, {"id": "i", "lab_id": lab, "name": "'annotator'", "role": "'annotator'",
                           "secret_sha256": sha("i"), "created_at": now}),
        ("project", LABS, {"id": "i", "lab_id": "i", "name": "'project'", "skeleton_version": "1", "created_at": now}),
        ("skeleton_version", LABS, {"project_id": "i", "version": "1", "created_at": now,
                                      "definition": text_of(_SKELETON)}),
        ("blob", 4 * videos + count, {"sha256": sha("i"), "size": "100000", "created_at": now}),
        ("video", videos, {"id": "i", "project_id": lab, "filename": "'GX010123.MP4'", "slug": "'gx010123-' || i",
                           "sha256": sha("i"), "size": "100000000", "status": "'ready'", "num_frames": "9000",
                           "width": "1920", "height": "1080", "fps": "30.0", "duration": "300.0",
                           "frame_table_sha256": sha(f"{videos} + i"), "proxy_sha256": sha(f"{2 * videos} + i"),
                           "proxy_table_sha256": sha(f"{3 * videos} + i"), "revision": str(count // videos),
                           "created_at": now}),
        ("track", 5 * videos, {"video_id": "1 + (i - 1) / 5", "number": "1 + (i - 1) % 5", "name": "'mouse'",
                               "created_at": now}),
        ("label_revision", count, {"video_id": video, "revision": f"1 + (i - 1) / {videos}", "kind": "'put'",
                                   "key_id": f"1 + i % {KEYS}", "created_at": now}),
        ("label", count, {"video_id": video, "frame_index": "(i * 7919) % 9000", "track_number": "1 + i % 5",
                          "revision": f"1 + (i - 1) / {videos}", "keypoints": blob("i", 204),
                          "changed": blob("i", 17)}),
        ("audit", count, {"id": "i", "lab_id": lab, "kind": "'labels.write'", "via": "'key'",
                          "key_id": f"1 + i % {KEYS}", "project_id": lab, "video_id": video, "details": details,
                          "at": now}),
        ("job", count, {"id": "i", "lab_id": lab, "project_id": lab, "video_id": video, "kind": kind, "queue": queue,
                        "params": params, "state": state, "priority": "0", "turn": "i", "work": "18000", "attempt": "1",
                        "max_attempts": "3", "owner": held, "lease_until": lease, "cancel_requested": f"NOT {true}",
                        "shared": "i % 2 = 0", "version": "40", "progress": "1.0", "stage": "'done'", "result": result,
                        "created_at": now, "started_at": now, "finished_at": now}),
        ("run", count // 10, {"id": "i", "video_id": video, "job_id": "10 * i", "engine": "'stdpose'",
                              "checkpoint_sha256": sha("7"), "label_revision": "10", "skeleton_version": "1",
                              "code_version": "'0.1.0'", "created_at": now}),
        ("job_segment", count, {"job_id": f"{SEGMENTS_OF_A_JOB} * (1 + (i - 1) / {SEGMENTS_OF_A_JOB})",
                                "track_number": "1 + i % 2", "start": "i % 9000", "stop": "i % 9000 + 300",
                                "input_sha256": sha("-i"), "attempt": "1",
                                "sha256": f"CASE WHEN i % 100 > 0 THEN {sha(f'{4 * videos} + i')} END"}),
        ("upload", count // 100, {"id": f"substr({sha('i')}, 1, 32)", "lab_id": lab, "project_id": lab,
                                  "filename": "'GX010123.MP4'", "description": "'filename R1gwMTAxMjMuTVA0'",
                                  "length": "100000000", "created_at": now, "expires_at": now,
                                  "state": "CASE WHEN i % 100 = 0 THEN 'open' ELSE 'finished' END"}),
    ]  # fmt: skip


def _insert(connection: Connection, dialect: str, table: str, number: int, columns: dict[str, str]) -> None:
    series = (
        f"SELECT i::bigint AS i FROM generate_series(1, {number}) AS i"
        if dialect == "postgresql"
        else f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number}) SELECT i FROM n"
    )
    names, values = ", ".join(columns), ", ".join(columns.values())
    statement = f"INSERT INTO {table} ({names}) SELECT {values} FROM ({series}) AS numbers"
    connection.exec_driver_sql(statement.replace("%", "%%") if dialect == "postgresql" else statement)


def _size(database: Database, table: str) -> int:
    """Bytes of a table with its indexes; on SQLite of the whole file."""
    with database.engine.connect() as connection:
        if database.engine.dialect.name == "postgresql":
            return int(connection.exec_driver_sql(f"SELECT pg_total_relation_size('{table}')").scalar_one())
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        return int(pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one())


def _lend_sha(connection: Any, record: Any) -> None:
    connection.create_function("sha", 1, lambda of: hashlib.sha256(str(of).encode()).hexdigest(), deterministic=True)
    connection.execute("PRAGMA foreign_keys = OFF")


_SKELETON = (
    '{"name": "body", "keypoints": ["' + '", "'.join(f"keypoint {k}" for k in range(17)) + '"], "edges": [], '
    '"swap": [], "sigmas": null}'
)
