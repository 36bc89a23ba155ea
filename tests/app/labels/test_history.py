"""Human labels are a history: every point has its own, nothing is lost, and any revision can be read again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sqlalchemy import insert, select, text

from app.database import connect
from app.labels import history
from app.labels.history import Labels
from app.settings import Settings
from app.tables import Label, LabelRevision, TrackRow
from benchmarks.list_rows import Counts, fill
from cli.serve import prepare
from pose.skeleton import Skeleton
from pose.video_writer import VideoWriter

SKELETON = Skeleton(name="three", keypoints=("a", "b", "c"))


class Desk:
    """A video with two tracks, and short words for what people do with it."""

    def __init__(self, service, video):
        self.service, self.http, self.video = service, service.http, video
        self.url = f"/videos/{video['id']}/labels"

    def put(self, *labels, **headers):
        rows = [{"frame_index": f, "track_id": t, "keypoints": points} for f, t, points in labels]
        return self.http.put(self.url, json={"labels": rows}, headers=headers)

    def read(self, **query):
        """Keypoints by frame and track."""
        labels = self.http.get(self.url, params=query).json()["labels"]
        return {(label["frame_index"], label["track_id"]): label["keypoints"] for label in labels}

    def delete(self, frame, track, **query):
        return self.http.delete(self.url, params={"frame_index": frame, "track_id": track, **query})

    @property
    def revision(self):
        return self.http.get(self.url).json()["revision"]


@pytest.fixture(scope="module")
def office(serving, tmp_path_factory):
    return serving(Settings(data_dir=tmp_path_factory.mktemp("office"), port=0))


@pytest.fixture
def desk(office, walker):
    video = office.upload(office.project(SKELETON), walker.path)
    office.track(video)
    office.track(video)
    return Desk(office, video)


def test_a_label_may_carry_some_keypoints_and_the_others_stay(desk):
    desk.put((5, 1, [[1, 1, 2], [2, 2, 1], [0, 0, 0]]))
    desk.put((5, 1, [[0, 0, 0], [9, 9, 2], [0, 0, 0]]))
    desk.put((5, 1, [[0, 0, 0], [0, 0, 0], [3, 3, 1]]))
    assert desk.read() == {(5, 1): [[1, 1, 2], [9, 9, 2], [3, 3, 1]]}


def test_coordinates_of_a_point_that_says_nothing_are_not_kept(desk):
    assert desk.put((5, 1, [[1, 1, 2], [77, 77, 0], [1e6, 1e300, 0]])).status_code == 200
    assert desk.read() == {(5, 1): [[1, 1, 2], [0, 0, 0], [0, 0, 0]]}


def test_the_past_can_be_read(desk):
    first = desk.put((1, 1, [[1, 1, 2]] * 3)).json()["revision"]
    second = desk.put((1, 1, [[2, 2, 2]] * 3), (2, 1, [[4, 4, 2]] * 3)).json()["revision"]
    third = desk.delete(1, 1).json()["revision"]
    assert (first, second, third) == (1, 2, 3)
    assert desk.read(revision=0) == {}
    assert desk.read(revision=1) == {(1, 1): [[1, 1, 2]] * 3}
    assert desk.read(revision=2) == {(1, 1): [[2, 2, 2]] * 3, (2, 1): [[4, 4, 2]] * 3}
    assert desk.read(revision=3) == desk.read() == {(2, 1): [[4, 4, 2]] * 3}
    assert desk.read(revision=99) == desk.read()


def test_a_label_that_was_taken_back_can_be_drawn_again(desk):
    desk.put((1, 1, [[1, 1, 2]] * 3))
    assert desk.delete(1, 1).json() == {"revision": 2, "written": 1}
    assert desk.delete(1, 1).json() == {"revision": 2, "written": 0}
    desk.put((1, 1, [[5, 5, 2], [0, 0, 0], [0, 0, 0]]))
    assert desk.read() == {(1, 1): [[5, 5, 2], [0, 0, 0], [0, 0, 0]]}


def test_a_single_keypoint_is_taken_back(desk):
    desk.put((1, 1, [[1, 1, 2], [2, 2, 2], [3, 3, 2]]), (1, 2, [[7, 7, 2]] * 3))
    assert desk.delete(1, 1, keypoint=[0, 2]).json()["written"] == 1
    assert desk.read() == {(1, 1): [[0, 0, 0], [2, 2, 2], [0, 0, 0]], (1, 2): [[7, 7, 2]] * 3}


def test_if_match_lets_in_the_one_who_knows_the_present(desk):
    answer = desk.put((1, 1, [[1, 1, 2]] * 3), **{"If-Match": '"0"'})
    assert answer.headers["etag"] == '"1"'
    assert desk.http.get(desk.url).headers["etag"] == '"1"'
    assert desk.put((1, 1, [[2, 2, 2]] * 3), **{"If-Match": "1"}).json()["revision"] == 2
    assert desk.put((1, 1, [[3, 3, 2]] * 3), **{"If-Match": "*"}).json()["revision"] == 3


def test_the_slower_one_is_given_both_versions(desk, refused):
    desk.put((1, 1, [[1, 1, 2]] * 3), (2, 1, [[1, 1, 2]] * 3))
    desk.put((1, 1, [[2, 2, 2]] * 3))
    problem = refused(desk.put((1, 1, [[3, 3, 1]] * 3), (2, 1, [[3, 3, 1]] * 3), **{"If-Match": "1"}), 412, "/if-match")
    assert problem["revision"] == 2
    (conflict,) = problem["conflicts"]
    assert (conflict["frame_index"], conflict["track_id"], conflict["revision"]) == (1, 1, 2)
    assert conflict["yours"] == [[3, 3, 1]] * 3
    assert conflict["theirs"] == [[2, 2, 2]] * 3
    assert desk.read()[1, 1] == [[2, 2, 2]] * 3
    query = {"frame_index": 1, "track_id": 1}
    refused(desk.http.delete(desk.url, params=query, headers={"If-Match": "1"}), 412)
    assert desk.revision == 2


def test_of_many_who_saw_the_same_revision_one_wins(desk):
    def write(number):
        return desk.put((1, 1, [[number, 1, 2]] * 3), **{"If-Match": "0"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(write, range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7


def test_writers_at_the_same_frames_lose_nothing(desk):
    """Each thread draws one keypoint of the same labels, over and over; all that was acknowledged is in the history."""
    told = []
    together = threading.Barrier(4)

    def draw(worker):
        together.wait()
        for number in range(60):
            points = [[0, 0, 0]] * 3
            points[worker % 3] = [worker, number, 2]
            answer = desk.put((number % 5, 1 + worker // 3, points))
            assert answer.status_code == 200, answer.text
            told.append((answer.json()["revision"], number % 5, worker, number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(draw, range(4)))
    assert sorted(revision for revision, *_ in told) == list(range(1, 241))

    database = connect(desk.service.settings.database)
    with database.session(readonly=True) as session:
        number = desk.video["id"]
        revisions = session.scalars(select(LabelRevision.revision).where(LabelRevision.video_id == number)).all()
        rows = session.execute(select(Label.revision, Label.frame_index).where(Label.video_id == number)).all()
    database.dispose()
    assert sorted(revisions) == list(range(1, 241))
    assert sorted(map(tuple, rows)) == sorted((revision, frame) for revision, frame, *_ in told)

    now = desk.read()
    for frame in range(5):
        for worker in range(4):
            last = max(number for _, at, who, number in told if (at, who) == (frame, worker))
            assert now[frame, 1 + worker // 3][worker % 3] == [worker, last, 2]
    for revision, frame, worker, number in told[::40]:
        assert desk.read(revision=revision)[frame, 1 + worker // 3][worker % 3] == [worker, number, 2]


def test_added_keypoints_are_blank_in_older_labels(desk, refused):
    desk.put((1, 1, [[1, 1, 2]] * 3))
    skeleton = {"name": "four", "keypoints": ["a", "B", "c", "d"]}
    project = desk.http.patch(f"/projects/{desk.video['project_id']}", json={"skeleton": skeleton}).json()
    assert project["skeleton_version"] == 2
    assert desk.read() == {(1, 1): [[1, 1, 2]] * 3 + [[0, 0, 0]]}
    refused(desk.put((2, 1, [[1, 1, 2]] * 3)), 422, "/labels/0/keypoints")
    desk.put((1, 1, [[0, 0, 0]] * 3 + [[4, 4, 2]]), (2, 1, [[2, 2, 2]] * 4))
    assert desk.read()[1, 1] == [[1, 1, 2]] * 3 + [[4, 4, 2]]
    assert desk.read(revision=1) == {(1, 1): [[1, 1, 2]] * 3 + [[0, 0, 0]]}


@pytest.mark.slow
def test_twenty_thousand_instances_are_one_revision(office, tmp_path):
    path = tmp_path / "long.mp4"
    with VideoWriter(path, 25, 16, 16) as writer:
        for _ in range(400):
            writer.write(np.zeros((16, 16, 3), dtype=np.uint8))
    project = office.project(Skeleton(name="one", keypoints=("a",)))
    video = office.upload(project, path)
    tracks = [office.track(video)["id"] for _ in range(50)]
    desk = Desk(office, video)
    answer = desk.put(*((frame, track, [[frame, track, 2]]) for frame in range(400) for track in tracks))
    assert answer.json() == {"revision": 1, "written": 20_000}
    window = desk.read(start=200, stop=210)
    assert len(window) == 500
    assert window[207, 31] == [[207, 31, 2]]


def test_labels_by_track_are_those_of_each_track():
    frames, tracks = np.array([0, 0, 3, 3, 9]), np.array([7, 2, 2, 7, 2])
    keypoints = np.arange(5 * 3 * 3, dtype=np.float32).reshape(5, 3, 3)
    keypoints[..., 2] = 2
    keypoints[2, :, 2] = 0
    labels = Labels(frames, tracks, keypoints, np.array([1, 2, 3, 4, 5]))
    parts = labels.by_track()
    assert list(parts) == [2, 7]
    assert parts[2].revisions.tolist() == [2, 3, 5]
    for number, mine in parts.items():
        assert {*mine.tracks.tolist()} == {number}
        assert mine.track(number).frames.tolist() == labels.track(number).frames.tolist()
        assert (mine.track(number).xy == labels.track(number).xy).all()
    nothing = Labels(frames[:0], tracks[:0], keypoints[:0], tracks[:0])
    assert nothing.by_track() == {}


def test_many_labels_are_read_right_after_they_were_written(database_url, tmp_path):
    """Postgres does not know yet how many there are, and must not compare each with each."""
    settings = Settings(data_dir=tmp_path, database_url=database_url)
    prepare(settings)
    database = connect(settings.database)
    counts = Counts(projects=1, jobs=1, runs=1, checkpoints=1, entries=1)
    with database.session() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("ALTER TABLE label SET (autovacuum_enabled = false)"))
    video_id = fill(database, counts)
    tracks, frames = 1500, 10
    label = {"video_id": video_id, "keypoints": bytes(24), "changed": bytes(2)}
    with database.session() as session:
        numbers = range(100, 100 + tracks)
        session.execute(insert(TrackRow), [{"video_id": video_id, "number": n, "name": "x"} for n in numbers])
        made = {"video_id": video_id, "kind": "put", "key_id": None}
        session.execute(insert(LabelRevision), [{**made, "revision": revision} for revision in (3, 4)])
        places = [(1000 + frame, number) for frame in range(frames) for number in numbers]
        rows = [{**label, "frame_index": frame, "track_number": n, "revision": 3} for frame, n in places]
        session.execute(insert(Label), [*rows, {**rows[0], "revision": 4}])
    with database.session(readonly=True) as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("SET statement_timeout = '4s'"))
        found = history.read(session, video_id, 2, start=1000, stop=2000)
        assert len(found.frames) == tracks * frames
        assert found.revisions.tolist() == [4, *[3] * (tracks * frames - 1)]
        few = history.read(session, video_id, 2, start=1000, stop=2000, tracks=[101, 100], most=30, revision=3)
        assert list(zip(few.frames.tolist(), few.tracks.tolist(), strict=True))[:3] == [
            (1000, 100),
            (1000, 101),
            (1001, 100),
        ]
        assert {*few.revisions.tolist()} == {3}
        with pytest.raises(history.More):
            history.read(session, video_id, 2, start=1000, stop=2000, most=tracks * frames - 1)
        ends = history.read_places(session, video_id, 2, np.array([1009, 1000]), np.array([100, 101]))
        assert list(zip(ends.frames.tolist(), ends.tracks.tolist(), ends.revisions.tolist(), strict=True)) == [
            (1000, 100, 4),
            (1000, 101, 3),
            (1009, 100, 3),
            (1009, 101, 3),
        ]
        # More frames than a statement may name, far apart.
        far = history.read_places(session, video_id, 2, np.arange(0, 600_000, 5), np.array([100]))
        assert far.frames.tolist() == [1000, 1005]
        then, now = history.changed(
            session, video_id, 2, since=2, until=4, tracks=[*range(100, 1600)], start=1000, stop=2000
        )
        assert len(then.frames) == len(now.frames) == 0  # there was nothing before
    database.dispose()
