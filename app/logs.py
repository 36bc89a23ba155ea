"""Logs: one line for each thing that happens, on standard error, as text for people or as JSON for machines.

Modules log with ``logging`` as everywhere; what a line is about (a request, a job) comes from ``about``.
"""

from __future__ import annotations

import json
import logging
import os
import re
import select
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from app.settings import Settings
from app.tokens import conceal

log = logging.getLogger(__name__)

_ABOUT: ContextVar[Mapping[str, Any]] = ContextVar("about", default=MappingProxyType({}))

#: Attributes of a record that are no fields of a line.
_NO_FIELDS = frozenset({*RESERVED_ATTRS, "color_message", "taskName"})

#: Libraries that at INFO tell of each connection and each message.
_TALKATIVE = ("alembic", "amqp", "asyncio", "celery", "kombu", "uvicorn")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s/@]+@")

#: How long a line waits for its reader, once; while lines are being dropped the next ones do not wait.
_PATIENCE_MS = 200


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """Put fields into every line that is written in a block, also by threads that run in a copy of its context."""
    token = _ABOUT.set({**_ABOUT.get(), **fields})
    try:
        yield
    finally:
        _ABOUT.reset(token)


def configure(settings: Settings) -> None:
    """Send the logs of this process, those of libraries too, to standard error. Once, when a process begins."""
    handler = _Unblocking(sys.stderr)
    handler.addFilter(_tell)
    handler.setFormatter(_Json() if settings.log_format == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(level if level == logging.DEBUG else max(level, logging.WARNING))
    logging.captureWarnings(True)
    sys.excepthook = lambda kind, error, trace: log.critical("this process ends", exc_info=(kind, error, trace))
    threading.excepthook = _thread_ended


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    error = ended.exc_value or ended.exc_type()
    name = ended.thread.name if ended.thread else "?"
    log.critical("the thread %s ends", name, exc_info=(ended.exc_type, error, ended.exc_traceback))


def _tell(record: logging.LogRecord) -> bool:
    for name, value in _ABOUT.get().items():
        record.__dict__.setdefault(name, value)
    return True


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Json(JsonFormatter):
    def __init__(self) -> None:
        super().__init__(
            ["name", "message"],
            rename_fields={"name": "logger", "exc_info": "exception", "stack_info": "stack"},
            reserved_attrs=sorted(_NO_FIELDS),
        )

    def format(self, record: logging.LogRecord) -> str:
        return _guarded(super().format(record))

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        log_data["time"] = _time(record)
        log_data["level"] = record.levelname.lower()
        super().add_fields(log_data, record, message_dict)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = (f"{name}={_shown(value)}" for name, value in vars(record).items() if name not in _NO_FIELDS)
        message = _plain(record.getMessage())
        line = " ".join((_time(record), record.levelname.lower().ljust(8), f"{record.name}:", message, *fields))
        if record.exc_info:
            line += "\n" + _plain(self.formatException(record.exc_info), keep="\n")
        return _guarded(line)


def _shown(value: Any) -> str:
    text = str(value)
    return json.dumps(text) if not text or re.search(r"[\s\"=]", text) else _plain(text)


def _plain(text: str, keep: str = "") -> str:
    """The text without what would begin a line or speak to a terminal: parts of it may come from outside."""
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else repr(found[0])[1:-1], text)


def _guarded(line: str) -> str:
    """A line without secrets, whatever was put into it."""
    return _PASSWORD.sub(r"\1***@", conceal(line))


class _Unblocking(logging.Handler):
    """Writes lines, and drops them while nobody takes them: whoever reads our logs must not be able to stop us."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._descriptor = stream.fileno()
        self._room = select.poll()
        self._room.register(self._descriptor, select.POLLOUT)
        self._dropped = 0
        self._torn = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._dropped:
                said = ("%d lines of this log were dropped: nobody took them", (self._dropped,))
                gap = logging.LogRecord(__name__, logging.WARNING, __file__, 0, *said, None)
                if not self._write(self.format(gap)):
                    self._dropped += 1
                    return
                self._dropped = 0
            self._dropped += not self._write(self.format(record))
        except Exception:
            self.handleError(record)

    def _write(self, line: str) -> bool:
        data = ("\n" * self._torn + line + "\n").encode(errors="backslashreplace")
        rest = memoryview(data)
        while rest:
            # A pipe that has room takes this much at once.
            if not self._room.poll(0 if self._dropped else _PATIENCE_MS):
                self._torn = self._torn or len(rest) < len(data)
                return False
            rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
        self._torn = False
        return True
