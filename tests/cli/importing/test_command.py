"""``posetween import`` against a real service, with a worker."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from typer.testing import CliRunner

from app import idempotency
from app.database import connect
from app.idempotency import forget_old
from cli.importing import command
from cli.main import app as commands
from formats.registry import write
from posetween import Client
from posetween.poses import ABSENT, HUMAN, PSEUDO
from tests.cli.importing.conftest import project, table
from tests.formats.tables import WITHOUT_EXTRA


@pytest.fixture
def client(working):
    with Client(str(working.http.base_url).partition("/api/")[0], working.key) as client:
        yield client


@pytest.fixture
def walk(walker, tmp_path):
    """A folder with the video that projects call ``walk``."""
    place = tmp_path / "films" / "walk.mp4"
    place.parent.mkdir()
    shutil.copy(walker.path, place)
    return place


def test_a_project_of_deeplabcut_with_its_video(told, client, walker, walk, tmp_path):
    folder = project(tmp_path / "lab", walker, {0: 0, 20: 20, 44: 44})
    done = told(folder, "--videos", walk.parent, "--project", "mice")
    assert (done["videos"], done["labels"], {*done["losses"]}) == (1, 3, {"decimals"})
    (made,) = client.projects("mice")
    assert made["skeleton"]["keypoints"] == [*walker.skeleton.keypoints]
    assert [tuple(pair) for pair in made["skeleton"]["edges"]] == [*walker.skeleton.edges]
    (video,) = client.videos(made["id"])
    assert (video["filename"], video["num_frames"]) == ("walk.mp4", 45)
    poses = client.poses(video["id"], layer="human")
    truth = walker.tracks[1]
    for frame in (0, 20, 44):
        seen = truth.visibility[frame] > 0
        assert (poses.source[0, frame][seen] == HUMAN).all()
        np.testing.assert_allclose(poses.xy[0, frame][seen], truth.xy[frame][seen], atol=0.01)
    assert (poses.source[0, 21] == 0).all()

    again = told(folder, "--videos", walk.parent, "--project", "mice")
    assert again["written"] == done["written"]
    assert client.video(video["id"])["revision"] == video["revision"]
    assert len(client.projects("mice")) == len(client.videos(made["id"])) == 1


def test_a_dry_run_says_what_would_become_of_what_and_writes_nothing(run, told, client, walker, walk, tmp_path):
    folder = project(tmp_path / "lab", walker, {0: 0, 20: 20})
    plan = told(folder, "--videos", walk.parent, "--dry-run")
    assert (plan["event"], plan["poses"], plan["refused"]) == ("checked", 2, [])
    (mapped,) = plan["mapping"]
    assert (mapped["kind"], mapped["file"], mapped["proved"]) == ("video", str(walk), 2)
    shown = run(folder, "--videos", walk.parent, "--dry-run")
    assert f"is {walk}; 2 of 2 pictures are the frames that they say" in shown.output
    assert client.projects() == []


def test_frames_that_the_pixels_contradict_are_moved_only_when_told_to(run, told, client, walker, walk, tmp_path):
    folder = project(tmp_path / "lab", walker, {0: 4, 20: 24})
    refused = run(folder, "--videos", walk.parent)
    assert refused.exit_code == 2
    assert "2 of 2 pictures are other frames" in refused.output
    assert "(2 by +4); --apply-offset" in refused.output
    assert client.projects() == []
    told(folder, "--videos", walk.parent, "--apply-offset")
    (video,) = client.videos(client.projects()[0]["id"])
    poses = client.poses(video["id"], layer="human")
    assert np.flatnonzero((poses.source[0] == HUMAN).any(axis=1)).tolist() == [4, 24]
    np.testing.assert_allclose(poses.xy[0, 24], walker.tracks[1].xy[24], atol=0.01)


def test_pictures_without_their_video_become_stills(told, client, walker, tmp_path):
    folder = project(tmp_path / "lab", walker, {3: 3, 20: 20, 300: 41}, "lightning-pose")
    done = told(folder)
    (video,) = client.videos(done["project_id"])
    assert (video["filename"], video["num_frames"]) == ("walk.zip", 3)
    poses = client.poses(video["id"], layer="human")
    for place, frame in enumerate((3, 20, 41)):
        seen = walker.tracks[1].visibility[frame] > 0
        np.testing.assert_allclose(poses.xy[0, place][seen], walker.tracks[1].xy[frame][seen], atol=0.01)
        assert poses.hidden[0, place].tolist() == (walker.tracks[1].visibility[frame] == 1).tolist()


@pytest.mark.skipif(WITHOUT_EXTRA, reason="h5py is not installed")
def test_a_project_of_sleap_with_names_people_and_a_machine(told, client, pair, tmp_path):
    shutil.copy(pair.path, tmp_path / "walk.mp4")
    people, machine = table(pair, [0, 12]), table(pair, [5, 6, 7])
    both = people.with_columns(
        **{
            name: np.concatenate([getattr(people, name), getattr(machine, name)])
            for name in ("video", "frame", "track", "xy", "visibility", "absent", "radius90", "run")
        },
        human=np.repeat([True, False], [len(people), len(machine)])[:, None] & (np.ones((1, people.skeleton.size)) > 0),
        score=np.full((len(people) + len(machine), people.skeleton.size), 0.5),
    )
    video = replace(both.videos[0], tracks={1: "left fly", 2: "right fly"}, empty=(20,))
    write(both.with_videos((video,)), "slp", tmp_path / "flies.slp")
    done = told(tmp_path / "flies.slp", "--empty-absent")
    assert (done["labels"], done["poses"], {*done["losses"]}) == (6, 6, {"decimals"})
    (written,) = done["written"]
    video = written["video_id"]
    assert [track["name"] for track in client.tracks(video)] == ["left fly", "right fly"]
    (imported,) = client.runs(video)
    assert (imported["engine"], imported["id"]) == ("import", written["runs"][0])
    poses = client.poses(video)
    assert set(poses.source[:, 0].ravel().tolist()) == {HUMAN}
    assert set(poses.source[:, 6].ravel().tolist()) <= {0, PSEUDO}
    assert (poses.source[:, 6] == PSEUDO).any()
    assert set(poses.source[:, 20].ravel().tolist()) == {ABSENT}
    skeleton = client.project(done["project_id"])["skeleton"]
    assert [tuple(sorted(one)) for one in skeleton["swap"]] == sorted(tuple(sorted(one)) for one in pair.skeleton.swap)


@pytest.mark.skipif(WITHOUT_EXTRA, reason="h5py is not installed")
def test_projects_whose_skeletons_are_called_alike_stay_apart(told, client, walker, walk, tmp_path):
    labels = table(walker, [0, 20])
    assert labels.skeleton.name
    for name in ("monday.slp", "tuesday.pkg.slp"):
        write(labels, "slp", tmp_path / name)
        told(tmp_path / name, "--videos", walk.parent)
    assert sorted(one["name"] for one in client.projects()) == ["monday", "tuesday"]
    folder = project(tmp_path / "week.2", walker, {0: 0}, pictures=False)
    assert told(folder, "--videos", walk.parent, "--dry-run")["project"] == labels.skeleton.name
    coco = project(tmp_path / "week.3", walker, {0: 0}, "lightning-pose", pictures=False)
    assert told(coco, "--videos", walk.parent, "--dry-run")["project"] == "week.3"


def test_what_people_labelled_since_is_left_as_it_is(run, told, client, working, walker, walk, tmp_path):
    folder = project(tmp_path / "lab", walker, {0: 0, 20: 20}, pictures=False)
    done = told(folder, "--videos", walk.parent)
    video = done["written"][0]["video_id"]
    label = {"frame_index": 20, "track_id": 1, "keypoints": [[1, 1, 2]] * walker.skeleton.size}
    client.put_labels(video, [label])
    revision = client.video(video)["revision"]
    other = project(tmp_path / "other", walker, {0: 0, 20: 20, 30: 30}, pictures=False)
    refused = run(other, "--videos", walk.parent, "--project", done["project"])
    assert refused.exit_code == 1
    assert "people labelled on the service what would be written, on 1 pose (frames 20)" in refused.output
    assert client.video(video)["revision"] == revision
    told(other, "--videos", walk.parent, "--project", done["project"], "--overwrite")
    assert client.poses(video, layer="human").xy[0, 20, 0].tolist() != [1, 1]


def test_a_machines_poses_are_one_run_however_late_they_are_imported_again(
    told, client, working, walker, walk, tmp_path, monkeypatch
):
    labels = table(walker, [3, 4, 9])
    machine = labels.with_columns(human=labels.human & False, score=np.full(labels.human.shape, 0.75))
    machine = machine.with_columns(score=np.where(labels.frame[:, None] == 4, 0.3333333, machine.score))

    def imported(dataset, name):
        write(dataset, "dlc-predictions", tmp_path / name)
        found = told(tmp_path / name, "--videos", walk.parent, "--project", "late")
        forget_old(database)  # as the service does after a week
        return found

    monkeypatch.setattr(idempotency, "REMEMBERED", timedelta(0))
    database = connect(working.settings.database)
    first = imported(machine, "one")
    video = first["written"][0]["video_id"]
    assert (first["poses"], len(client.runs(video))) == (3, 1)
    assert imported(machine, "two") == first
    assert len(client.runs(video)) == 1
    surer = imported(machine.with_columns(score=machine.score + np.float32(0.1)), "three")
    moved = imported(machine.with_columns(xy=machine.xy + np.float32(0.25)), "four")
    assert len({first["written"][0]["runs"][0], *surer["written"][0]["runs"], *moved["written"][0]["runs"]}) == 3
    database.dispose()


def test_the_same_import_writes_over_what_people_labelled_where_told_to(told, client, walker, walk, tmp_path):
    folder = project(tmp_path / "lab", walker, {0: 0, 20: 20}, pictures=False)
    done = told(folder, "--videos", walk.parent)
    video = done["written"][0]["video_id"]
    for _ in range(2):
        label = {"frame_index": 20, "track_id": 1, "keypoints": [[1, 1, 2]] * walker.skeleton.size}
        client.put_labels(video, [label])
        told(folder, "--videos", walk.parent, "--overwrite")
        assert client.poses(video, layer="human").xy[0, 20, 0].tolist() != [1, 1]


def test_other_frames_are_added_to_what_people_labelled(told, client, walker, walk, tmp_path):
    folder = project(tmp_path / "lab", walker, {0: 0}, pictures=False)
    done = told(folder, "--videos", walk.parent)
    video = done["written"][0]["video_id"]
    client.put_labels(video, [{"frame_index": 9, "track_id": 1, "keypoints": [[5, 5, 2]] * walker.skeleton.size}])
    more = project(tmp_path / "more", walker, {0: 0, 30: 30}, pictures=False)
    assert told(more, "--videos", walk.parent, "--project", done["project"])["labels"] == 2
    poses = client.poses(video, layer="human")
    assert np.flatnonzero((poses.source[0] == HUMAN).any(axis=1)).tolist() == [0, 9, 30]
    assert poses.xy[0, 9, 0].tolist() == [5, 5]


def test_a_video_that_is_nowhere_is_asked_for(run, told, client, walker, tmp_path):
    folder = project(tmp_path / "lab", walker, {0: 0}, pictures=False)
    refused = run(folder)
    assert refused.exit_code == 2
    assert "of 1 video ('walk') neither file nor pictures were found; say where with --videos FOLDER" in refused.output
    assert "the project says videos/walk.mp4" in run(folder, "--dry-run").output
    assert run(folder, "--skip-missing").exit_code == 1
    assert client.projects() == []


def test_a_project_of_that_name_with_other_keypoints_is_left_alone(run, client, walker, pair, walk, tmp_path):
    client.create_project("taken", {"name": "fly", "keypoints": [*pair.skeleton.keypoints]})
    folder = project(tmp_path / "lab", walker, {0: 0}, pictures=False)
    refused = run(folder, "--videos", walk.parent, "--project", "taken")
    assert refused.exit_code == 1
    assert "has other keypoints: it lacks" in refused.output
    assert client.videos(client.projects("taken")[0]["id"]) == []


def test_two_videos_of_the_same_bytes_do_not_become_one(run, client, walker, walk, tmp_path):
    shutil.copy(walk, walk.parent / "run.mp4")
    labels = table(walker, [0, 20])
    videos = (labels.videos[0], replace(labels.videos[0], name="run"))
    both = replace(labels, videos=videos).with_columns(video=[0, 1])
    write(both, "cvat", tmp_path / "labels.xml")
    refused = run(tmp_path / "labels.xml", "--videos", walk.parent)
    assert refused.exit_code == 1, refused.output
    assert "the videos 'walk' and 'run' are the same by their bytes, and would become one" in refused.output
    (video,) = client.videos(client.projects()[0]["id"])
    assert video["revision"] == 0


def test_labels_of_another_size_than_the_video_are_not_written(run, client, walker, walk, tmp_path):
    labels = table(walker, [0, 20])
    write(labels.with_videos((replace(labels.videos[0], width=640, height=480),)), "coco", tmp_path / "walk.json")
    refused = run(tmp_path / "walk.json", "--videos", walk.parent)
    assert refused.exit_code == 1
    assert "has 640 x 480 pixels, and its file has 320 x 240: labels would stand elsewhere" in refused.output
    (made,) = client.projects()
    (video,) = client.videos(made["id"])
    assert video["revision"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gone", "--dry-run"], "gone: there is no such file"),
        ([".", "--from", "nothing"], "--from is one of coco"),
        ([".", "--video", "walk"], "expected NAME=FILE"),
        ([".", "--video", "walk=gone.mp4"], "there is no such file as gone.mp4"),
        (["labels.json", "--dry-run"], "labels.json"),
    ],
)
def test_wrong_usage(run, words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labels.json").write_text('{"images": 3}')
    done = run(*words)
    assert done.exit_code == 2, done.output
    assert said in done.output


def test_a_folder_that_goes_away_meanwhile_is_told_of(run, walker, tmp_path, monkeypatch):
    folder = tmp_path / "lab"
    folder.mkdir()
    write(table(walker, [0]), "coco", folder / "labels.json")
    find = command.find_sources

    def gone(*words):
        shutil.rmtree(folder)
        return find(*words)

    monkeypatch.setattr(command, "find_sources", gone)
    done = run(folder / "labels.json")
    assert done.exit_code == 2, done.output
    assert "No such file or directory" in done.output


def test_which_key_is_used(working, walker, walk, tmp_path, monkeypatch):
    folder = project(tmp_path / "lab", walker, {0: 0}, pictures=False)
    address = str(working.http.base_url).partition("/api/")[0]

    def invoke(*words, **variables):
        command = ["import", str(folder), "--videos", str(walk.parent), "--server", address, *map(str, words)]
        return CliRunner().invoke(commands, command, env={"POSETWEEN_DATA_DIR": str(tmp_path / "nowhere"), **variables})

    assert (none := invoke()).exit_code == 2
    assert "name a file with --key-file, or set POSETWEEN_KEY" in none.output
    (tmp_path / "key").write_text("ptw_wrong\n")
    wrong = invoke("--key-file", tmp_path / "key")
    assert (wrong.exit_code, "GET /me" in wrong.output) == (1, True)
    assert invoke(POSETWEEN_KEY=working.key).exit_code == 0
    assert invoke(POSETWEEN_DATA_DIR=str(working.settings.data_dir)).exit_code == 0
