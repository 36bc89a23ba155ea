"""A page of a list asks the database as often for two hundred rows as for two."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from app.audit.router import list_acts
from app.checkpoints.router import list_checkpoints
from app.database import connect
from app.pagination import PageRequest
from app.runs.router import list_runs
from app.settings import Settings
from app.tables import Lab, Project, Run, Video
from app.videos.router import list_videos
from benchmarks.list_rows import GENERATIONS, Counts, fill
from cli.serve import prepare

LISTS = {
    "videos": lambda session, page: list_videos(session.get_one(Project, 1), session, page, Unasked),
    "runs": lambda session, page: list_runs(session.get_one(Video, 1), session, page),
    "checkpoints": lambda session, page: list_checkpoints(session.get_one(Project, 1), session, page),
    "acts": lambda session, page: list_acts(session, Caller, page),
}


class Caller:
    lab_id = 1


class Unasked:
    """Counts nothing: the videos of these rows have no files."""

    @staticmethod
    def want(shown, lab_id):
        assert lab_id == Caller.lab_id
        assert shown


@pytest.fixture(scope="module")
def database(module_database_url, tmp_path_factory):
    settings = Settings(data_dir=tmp_path_factory.mktemp("lists"), database_url=module_database_url)
    prepare(settings)
    database = connect(settings.database)
    assert fill(database, Counts(projects=1, jobs=60, runs=60, checkpoints=40, entries=60, videos=60)) == 1
    with database.session(readonly=True) as session:
        assert session.query(Lab.id).order_by(Lab.id).first() == (Caller.lab_id,)
    yield database
    database.dispose()


def listed(database, name, limit, after=None):
    """The items of a page, and how many statements it took."""
    statements = []

    def note(connection, cursor, statement, *_):
        statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        with database.session(readonly=True) as session:
            page = LISTS[name](session, PageRequest(limit=limit, after=after))
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return page.items, len(statements)


@pytest.mark.parametrize("name", LISTS)
def test_a_page_asks_as_often_whatever_its_length(database, name):
    few, asked = listed(database, name, 2 * GENERATIONS)
    many, asked_of_many = listed(database, name, 2 * GENERATIONS + 20)
    assert (len(few), len(many)) == (2 * GENERATIONS, 2 * GENERATIONS + 20)
    assert asked_of_many == asked


def test_of_a_run_that_may_be_stale_it_is_found_out_once(database):
    items, _ = listed(database, "runs", 60)
    assert all(run.stale == [] and run.segments == run.segments_done == 8 for run in items)
    with database.session() as session:
        for run in session.query(Run).filter(Run.id > 10):
            run.label_revision = 1
    _, asked = listed(database, "runs", 60)
    _, again = listed(database, "runs", 60)
    assert again <= asked


def test_what_is_known_of_checkpoints_is_each_one_s(database):
    items, _ = listed(database, "checkpoints", 40)
    assert {tuple(one.files) for one in items} == {("recipe.json", "report.json", "report.md")}
    assert {one.size for one in items} == {1000}
    assert {one.rests_on_deleted for one in items} == {None}


def test_acts_name_their_keys(database):
    items, _ = listed(database, "acts", 60)
    assert [one.id for one in items] == sorted((one.id for one in items), reverse=True)
    assert all(one.key_name is not None for one in items if one.key_id is not None)
    assert len({one.key_name for one in items}) > 10
