"""The words of tus 1.0 (https://tus.io/protocols/resumable-upload): what its headers say, and what it answers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Annotated

from fastapi import Header

from app.dependencies import MAX_ID
from app.errors import FieldProblem, Malformed, ServiceError, invalid
from app.names import has_control

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,creation-defer-length,checksum,termination,expiration"
ALGORITHMS = ("sha1", "sha256", "sha512", "md5")
CONTENT_TYPE = "application/offset+octet-stream"

#: Bytes of the longest ``Upload-Metadata`` that is kept.
MAX_METADATA = 8192

TusResumable = Annotated[str | None, Header(max_length=100)]

_NUMBER = re.compile(r"[1-9][0-9]{0,15}")


class Gone(ServiceError):
    """There was such an upload."""

    status, title = 410, "Gone"


class UnknownVersion(ServiceError):
    """Another version of tus, or none."""

    status, title = 412, "Precondition failed"


class WrongType(ServiceError):
    """A body that is no piece of an upload."""

    status, title = 415, "Unsupported media type"


class Locked(ServiceError):
    """Another request is writing."""

    status, title = 423, "Locked"


class ChecksumMismatch(ServiceError):
    """Other bytes arrived than were sent."""

    status, title = 460, "Checksum mismatch"


@dataclass(frozen=True)
class Checksum:
    """The digest that the bytes of a request must have."""

    algorithm: str
    digest: bytes


@dataclass(frozen=True)
class Described:
    """The client's description of a file that it begins to upload."""

    project_id: int
    filename: str
    header: str


def speaks_tus(tus_resumable: TusResumable = None) -> None:
    """Refuse who does not say that it speaks our version of tus.

    Raises:
        UnknownVersion: ``Tus-Resumable`` is missing or another version.
    """
    if tus_resumable != VERSION:
        problem = FieldProblem(pointer="/tus-resumable", detail=f"expected {VERSION}", location="header")
        raise UnknownVersion(f"this is tus {VERSION}: send 'Tus-Resumable: {VERSION}'", [problem])


def check_type(content_type: str | None) -> None:
    """Refuse a body that is no piece of an upload.

    Raises:
        WrongType: ``Content-Type`` is another one.
    """
    if not carries_bytes(content_type):
        problem = FieldProblem(pointer="/content-type", detail=f"expected {CONTENT_TYPE}", location="header")
        raise WrongType(f"bytes of an upload are sent as {CONTENT_TYPE}", [problem])


def carries_bytes(content_type: str | None) -> bool:
    """Return whether the body of a request is a piece of an upload."""
    return content_type is not None and content_type.partition(";")[0].strip().lower() == CONTENT_TYPE


def read_metadata(header: str | None) -> Described:
    """Read ``Upload-Metadata``.

    Raises:
        Malformed: It cannot be read.
        Invalid: It names no project, or the file's name is none.
    """
    values: dict[str, str] = {}
    for key, value in _pairs(header or ""):
        if key in values:
            raise _malformed("/upload-metadata", f"{key!r} is there twice")
        values[key] = value
    project_id = values.get("project_id", "")
    if not _NUMBER.fullmatch(project_id) or int(project_id) > MAX_ID:
        detail = "project_id: expected the id of the project that the video is for, in Base64"
        raise invalid("/upload-metadata/project_id", detail, "header")
    filename = values.get("filename") or "video"
    if len(filename) > 255 or has_control(filename):
        detail = "filename: expected at most 255 characters, none of them a control character such as NUL, in Base64"
        raise invalid("/upload-metadata/filename", detail, "header")
    return Described(int(project_id), filename, header or "")


def _pairs(header: str) -> Iterator[tuple[str, str]]:
    for pair in header.split(",") if header.strip() else []:
        key, _, encoded = pair.strip().partition(" ")
        try:
            yield _key(key), base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, ValueError) as error:
            detail = "expected a key and, after a space, its value in Base64 of UTF-8, separated by commas"
            raise _malformed("/upload-metadata", detail) from error


def _key(key: str) -> str:
    if not key or not key.isascii() or not key.isprintable():
        raise ValueError(key)
    return key


def read_checksum(header: str | None) -> Checksum | None:
    """Read ``Upload-Checksum``, None where there is none.

    Raises:
        Malformed: It cannot be read, or the algorithm is not one of ``ALGORITHMS``.
    """
    if header is None:
        return None
    algorithm, _, encoded = header.strip().partition(" ")
    if algorithm not in ALGORITHMS:
        raise _malformed("/upload-checksum", f"expected one of the algorithms {', '.join(ALGORITHMS)}")
    try:
        digest = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    size = hashlib.new(algorithm).digest_size
    if len(digest) != size:
        raise _malformed("/upload-checksum", f"expected {algorithm} and the Base64 of {size} bytes")
    return Checksum(algorithm, digest)


def check_length(length: int | None, defer: str | None) -> None:
    """Refuse an upload that says neither how long it is nor that it will say so later.

    Raises:
        Malformed: It says neither or both.
        Invalid: It is empty.
    """
    if defer not in (None, "1"):
        raise _malformed("/upload-defer-length", "expected 1")
    if (length is None) == (defer is None):
        raise _malformed("/upload-length", "expected either Upload-Length or 'Upload-Defer-Length: 1'")
    if length == 0:
        raise invalid("/upload-length", "an empty file is no video", "header")


def moment(when: datetime) -> str:
    """A moment as HTTP writes it."""
    return format_datetime(when, usegmt=True)


def _malformed(pointer: str, detail: str) -> Malformed:
    return Malformed(detail, [FieldProblem(pointer=pointer, detail=detail, location="header")])
