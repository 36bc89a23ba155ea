"""Tables as DeepLabCut and Lightning Pose write them."""

from __future__ import annotations

import numpy as np
import pytest

from formats import dlc, dlc_predictions, lightning_pose
from formats.errors import FormatError

CONFIG = """
# Project definitions (do not edit)
Task: reaching
scorer: Pranav
date: Oct30
multianimalproject: false
identity:

# Project path (change when moving around)
project_path: C:\\Users\\lab\\reaching
video_sets:
  C:\\Users\\lab\\videos\\m4s1.mp4:
    crop: 0, 640, 0, 480
  /data/m3 v1.avi:
    crop: 10, 640, 0, 480
bodyparts:
- snout
- leftear
- tailbase
start: 0
stop: 1
numframes2pick: 20

# Plotting configuration
skeleton:
- - snout
  - leftear
- - snout
  - gone
skeleton_color: black
"""

SINGLE = """scorer,,,Pranav,Pranav,Pranav,Pranav
bodyparts,,,leftear,leftear,snout,snout
coords,,,x,y,x,y
labeled-data,m4s1,img0012.png,1.5,2.5,10.25,20.75
labeled-data,m4s1,img0107.png,,,30,
"""

SEVERAL = """scorer,,,Me,Me,Me,Me,Me,Me
individuals,,,mus1,mus1,mus2,mus2,single,single
bodyparts,,,nose,nose,nose,nose,lamp,lamp
coords,,,x,y,x,y,x,y
labeled-data,videocompressed1,img000.png,10,11,20,21,5,6
labeled-data,videocompressed1,img028.png,,,22,23,,
labeled-data,videocompressed1,img031.png,,,,,,
"""


def project(folder, table=SINGLE, config=CONFIG, video="m4s1"):
    (folder / "labeled-data" / video).mkdir(parents=True)
    (folder / "config.yaml").write_text(config)
    (folder / "labeled-data" / video / "CollectedData_Pranav.csv").write_text(table)
    return folder


def test_a_project_has_its_videos_keypoints_and_edges(tmp_path):
    table = dlc.read(project(tmp_path, SINGLE.replace("30,\n", "30,31\n")))
    assert table.skeleton.name == "reaching"
    assert table.skeleton.keypoints == ("snout", "leftear", "tailbase")
    assert table.skeleton.edges == ((0, 1),)
    assert [(video.name, video.width, video.height) for video in table.videos] == [
        ("m4s1", 640, 480),
        ("m3 v1", None, None),
    ]
    assert table.frame.tolist() == [12, 107]
    assert table.xy[0].tolist() == [[10.25, 20.75], [1.5, 2.5], [0, 0]]
    assert table.visibility.tolist() == [[2, 2, 0], [2, 0, 0]]
    assert table.human[0].tolist() == [True, True, False]


def test_labels_that_a_training_set_repeats_are_read_once(tmp_path):
    table = SINGLE.replace("30,\n", "30,31\n")
    folder = project(tmp_path, table) / "training-datasets" / "iteration-0" / "UnaugmentedDataSet_reachingOct30"
    folder.mkdir(parents=True)
    (folder / "CollectedData_Pranav.csv").write_text(table)
    assert dlc.read(tmp_path).frame.tolist() == [12, 107]


def test_half_a_point_is_refused_with_its_line(tmp_path):
    with pytest.raises(FormatError, match=r"CollectedData_Pranav\.csv, line 5: snout has an x or a y alone"):
        dlc.read(project(tmp_path))


@pytest.mark.parametrize(
    "name", ["labeled-data/m4s1/img0012.png", "labeled-data\\m4s1\\img0012.png", "m4s1/img0012.png"]
)
def test_older_versions_name_a_picture_in_one_cell(name, tmp_path):
    table = f"scorer,P,P\nbodyparts,snout,snout\ncoords,x,y\n{name},1,2\n"
    found = dlc.read(project(tmp_path, table))
    assert (found.videos[found.video[0]].name, found.frame.tolist()) == ("m4s1", [12])


def test_several_animals_are_tracks_with_names(tmp_path):
    config = "Task: mice\nmultianimalproject: true\nvideo_sets:\nbodyparts: MULTI!\n"
    config += "multianimalbodyparts:\n- nose\nuniquebodyparts:\n- lamp\nindividuals:\n- mus1\n- mus2\n"
    table = dlc.read(project(tmp_path, SEVERAL, config, "videocompressed1"))
    assert table.skeleton.keypoints == ("nose", "lamp")
    assert table.videos[0].tracks == {1: "mus1", 2: "mus2", 3: "single"}
    assert [*zip(table.frame.tolist(), table.track.tolist(), strict=True)] == [(0, 1), (0, 2), (0, 3), (28, 2)]
    assert table.visibility.tolist() == [[2, 0], [2, 0], [0, 2], [2, 0]]
    assert table.videos[0].empty == (31,)


def test_a_table_alone_is_read_too(tmp_path):
    path = project(tmp_path) / "labeled-data" / "m4s1" / "CollectedData_Pranav.csv"
    path.write_text(SINGLE.replace("30,\n", "30,31\n").replace("labeled-data,m4s1,", ",,"))
    assert [video.name for video in dlc.read(path).videos] == ["m4s1"]


def test_predictions_are_a_machines_on_every_frame(tmp_path):
    net = "DLC_resnet50_reachingOct30shuffle1_100000"
    table = f"scorer,{net},{net},{net}\nbodyparts,snout,snout,snout\ncoords,x,y,likelihood\n"
    table += "0,10.123456789,20.5,0.99999999999\n1,,,\n2,11,21,0.25\n"
    (tmp_path / f"trial-dlc{net}.csv").write_text(table)
    found = dlc_predictions.read(tmp_path / f"trial-dlc{net}.csv")
    assert (found.videos[0].name, found.videos[0].num_frames) == ("trial-dlc", 3)
    assert found.frame.tolist() == [0, 2]
    assert not found.human.any()
    assert found.score.reshape(-1).tolist() == [np.nextafter(np.float32(1), np.float32(0)), 0.25]
    assert found.xy[0, 0, 0] == np.float32(10.123456789)


def test_a_likelihood_beyond_one_is_refused(tmp_path):
    table = "scorer,n,n,n\nbodyparts,a,a,a\ncoords,x,y,likelihood\n0,1,2,0.5\n1,1,2,1.5\n"
    (tmp_path / "aDLC_n.csv").write_text(table)
    with pytest.raises(FormatError, match="line 5: a score is no probability"):
        dlc_predictions.read(tmp_path / "aDLC_n.csv")


VISIBLE = """scorer,scorer,scorer,scorer,scorer,scorer,scorer
bodyparts,kp1,kp1,kp1,kp2,kp2,kp2
coords,x,y,visible,x,y,visible
labeled-data/vid/img00000001.png,77.25,36.25,2,,,0
labeled-data/vid/img00000002.png,37.25,110.75,2,,,1
labeled-data/vid/img00000003.png,37.25,110.75,1,4,5,0
"""


def test_lightning_pose_says_what_is_visible(tmp_path):
    (tmp_path / "CollectedData.csv").write_text(VISIBLE)
    found = lightning_pose.read(tmp_path)
    # A point that is hidden where nobody knows is not known.
    assert found.visibility.tolist() == [[2, 0], [2, 0], [1, 0]]
    assert found.videos[0].name == "vid"


def test_each_view_of_lightning_pose_has_a_table(tmp_path):
    for view in ("top", "bot"):
        table = f"scorer,s,s\nbodyparts,paw,paw\ncoords,x,y\nlabeled-data/s1_{view}/img00000007.png,1,2\n"
        (tmp_path / f"CollectedData_{view}.csv").write_text(table)
    found = lightning_pose.read(tmp_path)
    assert [video.name for video in found.videos] == ["s1_bot", "s1_top"]
    assert found.frame.tolist() == [7, 7]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("a,b\n1,2\n", "line 1"),
        ("scorer,a,a\nbodyparts,n,n\ncoords,x,x\n", "column 3.*twice"),
        ("scorer,a,a\nbodyparts,n,n\ncoords,x,z\n", "column 3"),
        ("scorer,a\nbodyparts,n\ncoords,x\n", "no x and y"),
        ("scorer,a,a\nbodyparts,n,n\ncoords,x,y\nl/v/img1.png,inf,2\n", "line 4: n x is 'inf'"),
        ("scorer,a,a\nbodyparts,n,n\ncoords,x,y\nl/v/img.png,1,2\n", "line 4.*no number of a frame"),
        ("scorer,a,a\nbodyparts,n,n\ncoords,x,y\nv/img1.png,1,2\nv/img1.png,1,2\n", "line 5.*already"),
        ("scorer,a,a\nbodyparts,n,n\ncoords,x,y\nv/img1.png,1e9,2\n", "line 4.*no pixel"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(table, said, tmp_path):
    (tmp_path / "CollectedData_me.csv").write_text(table)
    with pytest.raises(FormatError, match=said):
        dlc.read(tmp_path / "CollectedData_me.csv")
