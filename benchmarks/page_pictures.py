"""Draws the pictures of the page in ``docs/`` and the README: a rendered sample, labelled and propagated.

Needs Node, Chromium and the built page.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.live_server import live_server
from cli.sample import write_sample
from pose.formats.coco import read_coco
from pose.synthetic import SceneSpec

WEB = Path(__file__).parents[1] / "web"
TARGET = Path("docs/images")
SCENE = SceneSpec(seed=8, kind="person", num_frames=121, width=960, height=540, action="walk")
EVERY, SHOWN = 10, 66
PLACED = 9  # keypoints of a pose that is being labelled


def main() -> None:
    """Render, label, propagate with ``stdpose``, look."""
    node, chromium = shutil.which("node"), shutil.which("chromium") or shutil.which("chromium-browser")
    if node is None or chromium is None:
        raise SystemExit("this needs Node and Chromium")
    with tempfile.TemporaryDirectory() as folder, live_server(Path(folder) / "data") as server:
        clip, truth_file = write_sample(SCENE, Path(folder))
        other, other_truth = write_sample(replace(SCENE, seed=9, num_frames=31), Path(folder) / "other")
        places = read_coco(other_truth.read_bytes()).tracks[1].xy[0, :PLACED].tolist()
        truth = read_coco(truth_file.read_bytes())
        with server.connect() as client:
            shape = {
                "name": "person",
                "keypoints": truth.skeleton.keypoints,
                "edges": truth.skeleton.edges,
                "swap": truth.skeleton.swap,
            }
            project = json.loads(client.send("POST", "/projects", {"name": "Gait study", "skeleton": shape}))
            sent = client.send("POST", f"/projects/{project['id']}/videos?filename=walk-01.mp4", clip.read_bytes())
            video = json.loads(sent)["id"]
            sent = client.send("POST", f"/projects/{project['id']}/videos?filename=walk-02.mp4", other.read_bytes())
            blank = json.loads(sent)["id"]
        server.work()
        with server.connect() as client:
            number = json.loads(client.send("POST", f"/videos/{video}/tracks", {"name": "participant 7"}))["id"]
            track = truth.tracks[1]
            rows = np.flatnonzero(np.isin(track.frames, range(0, SCENE.num_frames, EVERY)))
            labels = [
                {
                    "frame_index": int(track.frames[row]),
                    "track_id": number,
                    "keypoints": np.column_stack([track.xy[row], track.visibility[row]]).astype(float).tolist(),
                }
                for row in rows
            ]
            client.send("PUT", f"/videos/{video}/labels", {"labels": labels})
            client.send("POST", f"/videos/{video}/propagations", {"engine": "stdpose"})
        server.work()
        about = {"address": f"http://127.0.0.1:{server.port}", "key": server.key, "photos": folder, "timeout": 60_000}
        told = {"web": str(WEB), "chromium": chromium, "project": project["id"], "video": video, "frame": SHOWN}
        told |= {"blank": blank, "places": places, "width": SCENE.width, "height": SCENE.height}
        subprocess.run([node, str(Path(__file__).with_suffix(".mjs")), json.dumps({**about, **told})], check=True)
        for name in ("videos", "new-project", "placing", "labelling", "review"):
            picture = cv2.imread(str(Path(folder) / f"{name}.png"))
            assert picture is not None
            target = TARGET / f"page-{name}.webp"
            cv2.imwrite(str(target), picture, [cv2.IMWRITE_WEBP_QUALITY, 80])
            print(target)


if __name__ == "__main__":
    main()
