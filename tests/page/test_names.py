"""Whatever things are called, every screen stays in shape; where less motion is wished, nothing moves."""

from __future__ import annotations

import shutil

import pytest

LONG = 200
TAGS = "<script>globalThis.ran = true</script><img src=x onerror='globalThis.ran = true'>"
HEBREW = "\N{HEBREW LETTER ALEF}\N{HEBREW LETTER BET}\N{HEBREW LETTER GIMEL}"
FRAMES = (0, 20)


def named(text: str) -> str:
    """A name as long as one may be, from right to left, with tags, and not one space where a line could break."""
    return (TAGS.replace(" ", "\N{NO-BREAK SPACE}") + text + HEBREW * LONG)[:LONG]


@pytest.fixture(scope="module")
def place(lab, pair, tmp_path_factory):
    """A project, a video, subjects, keypoints and a key that are called so."""
    keypoints = [named("a"), "M" * LONG, "right_ear"]
    shape = {"name": named("s"), "keypoints": keypoints, "edges": [[0, 1], [1, 2]]}
    filename = f"{'W' * 240}.mp4"
    file = tmp_path_factory.mktemp("names") / filename
    shutil.copyfile(pair.path, file)
    with lab.client() as client:
        project = client.post("/projects", {"name": named("p"), "skeleton": shape})
        gone = client.post("/projects", {"name": "W" * LONG, "skeleton": shape})
        client.post("/keys", {"name": "W" * LONG, "role": "reader"})
        video = client.upload(project["id"], file)
        client.wait(video["ingest_job_id"], lambda job: None)
        url = f"/videos/{video['id']}"
        for number, name in enumerate((named("t"), "W" * LONG)):
            track = client.post(f"{url}/tracks", {"name": name})["id"]
            labels = [
                {
                    "frame_index": frame,
                    "track_id": track,
                    "keypoints": [[50 + 60 * number + 20 * k, 80 + 3 * frame, 2] for k in range(3)],
                }
                for frame in FRAMES
            ]
            client.put(f"{url}/labels", {"labels": labels})
        for _ in range(2):
            client.wait(client.post(f"{url}/propagations", {"engine": "linear"})["id"], lambda job: None)
    return {"project": project["id"], "video": video["id"], "filename": filename, "gone": gone["id"]}


@pytest.fixture(scope="module")
def seen(drive, lab, place):
    return drive("names.mjs", {**lab.about, **place})


def test_nothing_is_wider_than_its_place(seen):
    assert {screen: found for screen, found in seen["wider"].items() if found} == {}


def test_names_are_text(seen):
    assert seen["scripts"] is False
    assert [fault for fault in seen["faults"] if "401" not in fault] == []


def test_axe_finds_nothing(seen):
    assert {screen: found for screen, found in seen["wrong"].items() if found} == {}


def test_nothing_moves_where_less_motion_is_wished(seen):
    assert seen["lively"] > 0
    assert {screen: count for screen, count in seen["moving"].items() if count} == {}
