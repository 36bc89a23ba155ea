"""Writing an export: the poses of a snapshot as a COCO file, with the frames in a ZIP where asked for."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from app.database import Database
from app.exports.selection import ANNOTATIONS, Heard, Report, Selection, image_name
from app.storage import Storage
from app.tables import Export, Video
from app.videos.images import encode
from pose.formats.coco import Written
from pose.frame_table import FrameTable
from pose.video import Video as VideoReader

_PIECE = 1 << 22  # bytes
#: The earliest moment a ZIP can name: a file must not depend on when it was written.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def build(database: Database, storage: Storage, export: Export, target: Path, report: Report) -> dict[str, Any]:
    """Write an export's file; the same snapshot and specification give the same bytes.

    Args:
        database: Where labels are.
        storage: Where segments and proxies are.
        export: What to write.
        target: File to make.
        report: Told of progress; what it raises ends the export.

    Returns:
        The manifest: name of the file, digest of each file in it, and counts.
    """
    source = Selection(database, storage, export, report)
    spec = source.spec
    if spec.images:
        files, written = _write_zip(source, target)
    else:
        with target.open("wb") as stream:
            written = source.write(stream)
        files = {ANNOTATIONS: _digest(target, source.listen)}
    return {
        "file_name": f"project-{export.project_id}.{'zip' if spec.images else 'json'}",
        "files": [{"path": path, "sha256": sha256} for path, sha256 in files.items()],
        "videos": written.videos,
        "images": written.images,
        "annotations": written.annotations,
        "left_out": written.left_out,
        "stale_left_out": source.stale,
        "rejected_left_out": source.rejected,
        "warnings": source.warnings(),
    }


def _write_zip(source: Selection, target: Path) -> tuple[dict[str, str], Written]:
    digests = {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        with source.storage.scratch_file() as sheet:
            with sheet.open("wb") as stream:
                written = source.write(stream)
            digests[ANNOTATIONS] = _digest(sheet, source.listen)
            with sheet.open("rb") as data, archive.open(_entry(ANNOTATIONS), "w", force_zip64=True) as entry:
                shutil.copyfileobj(data, Heard(entry, source.listen))
        for video, frames in source.frames:
            for name, image in _images(source, video, frames):
                digests[name] = hashlib.sha256(image).hexdigest()
                archive.writestr(_entry(name), image)
    return digests, written


def _images(source: Selection, video: Video, frames: list[int]) -> Iterator[tuple[str, bytes]]:
    assert video.proxy_sha256 is not None
    assert video.proxy_table_sha256 is not None
    table = FrameTable.from_bytes(source.storage.get(video.proxy_table_sha256))
    proxy = source.storage.file(video.proxy_sha256, source.listen, within=0)
    with VideoReader(proxy, table) as reader:
        for frame in frames:
            yield image_name(video, frame), encode(reader.read(frame), "jpeg")
            source.report(source.done, source.total)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _NO_TIME)
    entry.external_attr = 0o644 << 16
    return entry


def _digest(path: Path, step: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            step()
            digest.update(piece)
    return digest.hexdigest()
