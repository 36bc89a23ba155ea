"""Lines of the log, as a process of its own writes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

BEGIN = """
import logging, sys, threading, time, warnings
from app import logs
from app.settings import Settings
logs.configure(Settings())
log = logging.getLogger("here")
"""


def run(code, log_format="json", **settings):
    environment = {**os.environ, "POSETWEEN_LOG_FORMAT": log_format, **settings}
    child = subprocess.run(
        [sys.executable, "-c", BEGIN + textwrap.dedent(code)],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return child.stderr


def lines(code, **settings):
    """What a piece of code logs, as JSON."""
    return [json.loads(line) for line in run(code, **settings).splitlines()]


def test_a_line_says_when_how_bad_who_and_what():
    (line,) = lines("log.warning('%d left', 3, extra={'room': 'attic'})")
    assert line.pop("time").endswith("Z")
    assert line == {"level": "warning", "logger": "here", "message": "3 left", "room": "attic"}


def test_text_is_for_people():
    line = run("log.info('so it is', extra={'name_of_it': 'a b', 'number': 3})", "text")
    moment, level, logger, *rest = line.split()
    assert (moment[-1], level, logger) == ("Z", "info", "here:")
    assert " ".join(rest) == 'so it is name_of_it="a b" number=3'


@pytest.mark.parametrize("kind", ["json", "text"])
def test_nothing_begins_a_line_or_speaks_to_a_terminal_but_we(kind):
    written = run(r"log.info('a\nb\x1b[31m\x9b\u2028', extra={'name_of_it': 'c\r\nd\x1b'})", kind)
    assert len(written.splitlines()) == 1
    assert not [character for character in written.rstrip("\n") if ord(character) < 32 or 127 <= ord(character) < 160]


def test_whatever_is_said_is_a_line_of_json():
    odd = lines(
        r"""
        log.info('half of a pair: \ud800', extra={'anything': object(), 'large': 10 ** 40, 'odd': float('nan')})
        log.info({'a': 'dictionary'})
        warnings.warn('a warning')
        try:
            raise ValueError('first\nsecond')
        except ValueError:
            log.exception('broke')
        thread = threading.Thread(target=lambda: 1 / 0, name='worn')
        thread.start()
        thread.join()
        for name in ('uvicorn.error', 'celery.worker', 'alembic.runtime.migration', 'sqlalchemy.engine'):
            logging.getLogger(name).error('said by a library')
            logging.getLogger(name).debug('not said')
        logging.getLogger('celery').info('not said')
        raise KeyError('the end')
        """
    )
    messages = [line["message"] for line in odd]
    assert messages.count("said by a library") == 4
    assert "not said" not in messages
    assert "a warning" in str(odd[2])
    assert "ValueError: first\nsecond" in odd[3]["exception"]
    assert odd[4]["message"] == "the thread worn ends"
    assert "ZeroDivisionError" in odd[4]["exception"]
    assert odd[-1]["level"] == "critical"
    assert "KeyError: 'the end'" in odd[-1]["exception"]
    assert len(odd) == 10


def test_a_line_knows_what_it_is_about_also_in_a_thread():
    found = lines(
        """
        from contextvars import copy_context
        with logs.about(request_id='r'), logs.about(job_id=4):
            log.info('inside')
            thread = threading.Thread(target=copy_context().run, args=(log.info, 'beside'))
            thread.start()
            thread.join()
            log.info('another', extra={'job_id': 5})
        log.info('outside')
        """
    )
    shown = [(line["message"], line.get("request_id"), line.get("job_id")) for line in found]
    assert shown == [("inside", "r", 4), ("beside", "r", 4), ("another", "r", 5), ("outside", None, None)]


@pytest.mark.parametrize("kind", ["json", "text"])
def test_secrets_do_not_get_through(kind):
    token = "A1b-_" * 8 + "xyz"
    written = run(
        f"""
        log.info('key pt_12_{token} came', extra={{'cookie': 'posetween_session=ps_3_{token}'}})
        log.info('at postgresql+psycopg://anna:hunter2@db/posetween and redis://:hunter2@redis:6379/0')
        try:
            raise ValueError('pt_7_{token}')
        except ValueError:
            log.exception('broke')
        """,
        kind,
    )
    assert token not in written
    assert "hunter2" not in written
    assert "pt_12_***" in written
    assert "ps_3_***" in written
    assert "redis://:***@redis:6379/0" in written


def test_what_is_written_to_the_database_stands_in_no_line(tmp_path):
    (line,) = lines(
        f"""
        from sqlalchemy import text
        from app.database import connect
        database = connect('sqlite:///{tmp_path}/x.db')
        try:
            with database.session() as session:
                session.execute(text('INSERT INTO nowhere VALUES (:what)'), {{'what': 'private'}})
        except Exception:
            log.exception('broke')
        """
    )
    assert "nowhere" in line["exception"]
    assert "private" not in str(line)


@pytest.mark.parametrize(("level", "said"), [("debug", "abcd"), ("INFO", "bcd"), ("warning", "cd"), ("error", "d")])
def test_the_level_is_a_setting(level, said):
    found = lines(
        "log.debug('a'); log.info('b'); log.warning('c'); log.error('d')",
        POSETWEEN_LOG_LEVEL=level,
    )
    assert "".join(line["message"] for line in found) == said


def test_a_reader_that_does_not_read_does_not_stop_us():
    code = """
        for number in range(3000):
            log.info('x' * 100, extra={'number': number})
        log.info('y' * 100_000)
        print('done', flush=True)
        sys.stdin.read(1)
        for _ in range(100):  # the reader may need a moment to make room
            log.info('read again')
            time.sleep(0.05)
        """
    with subprocess.Popen(
        [sys.executable, "-c", BEGIN + textwrap.dedent(code)],
        env={**os.environ, "POSETWEEN_LOG_FORMAT": "json"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as child:
        assert child.stdout.readline() == "done\n"  # though nobody has read a line
        child.stdin.write(".")
        child.stdin.flush()
        found = [json.loads(line) for line in child.stderr]
    kept = [line["number"] for line in found if "number" in line]
    assert kept == list(range(len(kept)))
    assert 100 < len(kept) < 3000
    told, *after = [line["message"] for line in found[len(kept) :]]
    assert told.endswith("lines of this log were dropped: nobody took them")
    assert int(told.split()[0]) + len(kept) + len(after) == 3001 + 100
    assert set(after) == {"read again"}
