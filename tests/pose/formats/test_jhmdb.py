"""J-HMDB in the layout it is published in, written here."""

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from pose.formats.jhmdb import JHMDB_15, JhmdbError, find_jhmdb, read_joint_positions
from pose.video_writer import VideoWriter

CLIPS = ("brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0", "golf/Golf_Swing_f_cm_np1_ri_med_1")


def positions(length, shift=0.0):
    """``(2, 15, F)`` in MATLAB's pixels: joint ``k`` on frame ``t`` at ``20 k + t + shift, 10 k + 5``."""
    joints, frames = np.meshgrid(np.arange(15), np.arange(length), indexing="ij")
    return np.stack([20.0 * joints + frames + shift, 10.0 * joints + 5])


def write_positions(root, clip, length=4, **changes):
    file = root / "joint_positions" / clip / "joint_positions.mat"
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"pos_img": positions(length), "pos_world": positions(length) / 320, "scale": np.ones(length)}
    savemat(file, {name: value for name, value in (content | changes).items() if value is not None})
    return file


def write_images(root, clip, length=4):
    folder = root / "Rename_Images" / clip
    folder.mkdir(parents=True)
    for number in range(1, length + 1):
        cv2.imwrite(str(folder / f"{number:05d}.png"), np.full((240, 320, 3), 10 * number, dtype=np.uint8))


def write_splits(root):
    folder = root / "splits"
    folder.mkdir()
    for number, clip in enumerate(CLIPS, start=1):
        kind, name = clip.split("/")
        (folder / f"{kind}_test_split1.txt").write_text(f"{name}.avi {number}\nother_clip.avi 2\n\n")


@pytest.fixture
def root(tmp_path):
    for clip in CLIPS:
        write_positions(tmp_path, clip)
        write_images(tmp_path, clip)
    return tmp_path


def test_clips_have_a_subject_and_their_images(root):
    first, second = find_jhmdb(root)
    assert [first.name, second.name] == list(CLIPS)
    assert first.skeleton is JHMDB_15
    assert first.path == root / "Rename_Images" / CLIPS[0]
    assert list(first.tracks) == [1]
    track = first.tracks[1]
    np.testing.assert_array_equal(track.frames, [0, 1, 2, 3])
    # The first pixel is MATLAB's 1.
    np.testing.assert_array_equal(track.xy[2, 3], [20 * 3 + 2 - 1, 10 * 3 + 5 - 1])
    with first.open() as video:
        assert video.num_frames == 4
        assert video.read(2)[0, 0, 0] == 30


def test_joints_beyond_the_edge_are_hidden(tmp_path):
    xy = positions(2, shift=5.0)
    xy[0, 4] = 320.4, 320.6
    xy[1, 5] = 0.6, 0.4
    track = read_joint_positions(write_positions(tmp_path, CLIPS[0], pos_img=xy))
    assert (track.visibility[:, 4].tolist(), track.visibility[:, 5].tolist()) == ([2, 1], [2, 1])
    assert (np.delete(track.visibility, (4, 5), axis=1) == 2).all()


def test_videos_stand_in_for_missing_images(tmp_path):
    write_positions(tmp_path, CLIPS[1])
    with pytest.raises(FileNotFoundError, match=r"no frames of golf/.*Rename_Images.*ReCompress_Videos"):
        list(find_jhmdb(tmp_path))
    file = tmp_path / "ReCompress_Videos" / f"{CLIPS[1]}.avi"
    file.parent.mkdir(parents=True)
    with VideoWriter(tmp_path / "clip.mp4", 30, 320, 240) as writer:
        for _ in range(4):
            writer.write(np.zeros((240, 320, 3), dtype=np.uint8))
    (tmp_path / "clip.mp4").rename(file)
    (clip,) = find_jhmdb(tmp_path)
    assert clip.file == clip.path == file
    with clip.open() as video:
        assert video.num_frames == 4


def test_a_clip_of_one_frame_is_read(tmp_path):
    # As MATLAB writes it, without the last axis.
    write_positions(tmp_path, CLIPS[0], pos_img=positions(1)[..., 0])
    write_images(tmp_path, CLIPS[0], length=1)
    (clip,) = find_jhmdb(tmp_path)
    assert len(clip.tracks[1]) == 1
    assert clip.path == clip.frames[0]


def test_the_published_splits_are_followed(root):
    write_splits(root)
    assert [clip.name for clip in find_jhmdb(root, split=1)] == [CLIPS[0]]
    assert [clip.name for clip in find_jhmdb(root, split=1, part="test")] == [CLIPS[1]]
    with pytest.raises(FileNotFoundError, match="there is no split 2"):
        list(find_jhmdb(root, split=2))
    (root / "splits" / "golf_test_split1.txt").write_text("clip.avi 1\nclip.avi yes\n")
    with pytest.raises(JhmdbError, match=r"golf_test_split1\.txt, line 2: 'clip\.avi yes'"):
        list(find_jhmdb(root, split=1))


def test_what_is_wrong_is_said_with_the_files_name(root):
    file = root / "joint_positions" / CLIPS[0] / "joint_positions.mat"
    whole = file.read_bytes()
    wrong = positions(4)
    wrong[1, 6, 2] = np.nan
    for change, sentence in (
        ({"pos_img": None}, "there is no pos_img"),
        ({"pos_img": positions(4)[:, :14]}, r"pos_img is \(2, 14, 4\) float64, not numbers \(2, 15, F\)"),
        ({"pos_img": "text"}, "not numbers"),
        ({"pos_img": wrong}, r"pos_img\(2, 7, 3\) is nan"),
        ({"pos_img": positions(9)}, "4 frames, fewer than the 9 poses"),
    ):
        write_positions(root, CLIPS[0], **change)
        with pytest.raises(JhmdbError, match=sentence) as caught:
            list(find_jhmdb(root))
        assert CLIPS[0] in str(caught.value)
    for damaged in (b"", b"MATLAB 5.0 MAT-file", whole[: len(whole) // 2], whole[:150] + bytes(40) + whole[190:]):
        file.write_bytes(damaged)
        with pytest.raises(JhmdbError, match=r"no MATLAB file that can be read|no pos_img"):
            read_joint_positions(file)
    with pytest.raises(FileNotFoundError, match=r"no \*/\*/joint_positions\.mat"):
        list(find_jhmdb(root / "nowhere"))
