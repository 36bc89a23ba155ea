"""Writing an export: the poses of a snapshot as a file, with the frames in a ZIP where asked for."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path
from typing import Any

from app.database import Database
from app.exports import others
from app.exports.archive import digest, entry, pictures
from app.exports.selection import ANNOTATIONS, Heard, Report, Selection, image_name
from app.exports.settling import told
from app.storage import Storage
from app.tables import Export
from app.videos.images import encode
from pose.formats.coco import Written


def build(database: Database, storage: Storage, export: Export, target: Path, report: Report) -> dict[str, Any]:
    """Write an export's file; the same snapshot and specification give the same bytes.

    Args:
        database: Where labels are.
        storage: Where segments and proxies are.
        export: What to write.
        target: File to make.
        report: Told of progress; what it raises ends the export.

    Returns:
        The manifest: name of the file, digest of each file in it, counts, what radii rest on, and what the format
        cannot hold.

    Raises:
        CannotHold: The format can hold no such poses at all.
        TooLarge: There are too many poses for one file of the format.
    """
    source = Selection(database, storage, export, report)
    spec = source.spec
    losses: dict[str, int] = {}
    if spec.format != "coco":
        files, written, losses = others.write_archive(source, target)
    elif spec.images:
        files, written = _write_zip(source, target)
    else:
        with target.open("wb") as stream:
            written = source.write(stream)
        files = {ANNOTATIONS: digest(target, source.listen)}
    zipped = spec.images or spec.format != "coco"
    called = f"project-{export.project_id}" + ("" if spec.format == "coco" else f"-{spec.format}")
    return {
        "file_name": f"{called}.{'zip' if zipped else 'json'}",
        "files": [{"path": path, "sha256": sha256} for path, sha256 in files.items()],
        "videos": written.videos,
        "images": written.images,
        "annotations": written.annotations,
        "left_out": written.left_out,
        "stale_left_out": source.stale,
        "rejected_left_out": source.rejected,
        "radii": told(source.bases, source.calibrated()),
        "losses": losses,
        "warnings": source.warnings(),
    }


def _write_zip(source: Selection, target: Path) -> tuple[dict[str, str], Written]:
    digests = {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        with source.storage.scratch_file() as sheet:
            with sheet.open("wb") as stream:
                written = source.write(stream)
            digests[ANNOTATIONS] = digest(sheet, source.listen)
            with sheet.open("rb") as data, archive.open(entry(ANNOTATIONS), "w", force_zip64=True) as inside:
                shutil.copyfileobj(data, Heard(inside, source.listen))
        for video, frames in source.frames:
            for frame, picture in pictures(source, video, frames):
                name, image = image_name(video, frame), encode(picture, "jpeg")
                digests[name] = hashlib.sha256(image).hexdigest()
                archive.writestr(entry(name), image)
    return digests, written
