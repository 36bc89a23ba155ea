"""Frames and places as they are in what is uploaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cli.importing.numbering import place, refusals, renumbered
from cli.importing.sources import Source, SourceError
from formats.media import Media
from tests.cli.importing.conftest import placed
from tests.formats.tables import two_mice


def test_labels_go_to_the_frames_that_their_pictures_show():
    moved = renumbered(two_mice(), [placed({0: 2, 7: 9, 9: 11})])
    assert moved.frame.tolist() == [2, 2, 9, 12]
    assert moved.videos[0].empty == (11,)
    np.testing.assert_array_equal(moved.xy, two_mice().xy)


def test_frames_without_a_picture_go_along_where_all_moved_alike():
    assert renumbered(two_mice(), [placed({0: 3})]).frame.tolist() == [3, 3, 10, 12]
    with pytest.raises(SourceError, match="frame 9 is labelled and has no picture, and those of others moved"):
        renumbered(two_mice(), [placed({0: 3, 7: 8})])


def test_what_cannot_be_is_refused():
    with pytest.raises(SourceError, match="different frames are the same frame by their pixels"):
        renumbered(two_mice(), [placed({0: 7, 7: 7, 9: 9})])
    with pytest.raises(SourceError, match=r"'left': frame 0 is labelled and has no picture, .* would be frame -4"):
        renumbered(two_mice(), [placed({7: 3, 9: 5})])
    with pytest.raises(SourceError, match="where labels are moved, a coordinate is no pixel"):
        renumbered(two_mice(), [placed({0: 0, 7: 7, 9: 9}, cropped=True, shift=(10**6, 0))])
    with pytest.raises(SourceError, match="frame 7 is labelled, and the video has 5 frames"):
        renumbered(two_mice(), [placed({0: 0, 7: 7, 9: 9}, num_frames=5)])


def test_labels_on_a_crop_move_by_its_corner():
    moved = renumbered(two_mice(), [placed({0: 0, 7: 7, 9: 9}, cropped=True, shift=(10, 20))])
    known = two_mice().known[:3]
    np.testing.assert_allclose((moved.xy - two_mice().xy)[:3][known], [[10, 20]] * int(known.sum()))
    np.testing.assert_array_equal(moved.xy[3], two_mice().xy[3])


def test_frames_that_are_not_proved_are_in_the_way():
    told = refusals(two_mice(), [placed({0: 2, 7: 9, 9: 9})], apply_offset=False)
    assert len(told) == 1
    assert "2 of 3 pictures are other frames of left.mp4 than they say (2 by +2); --apply-offset" in told[0]
    assert refusals(two_mice(), [placed({0: 2, 7: 9, 9: 9})], apply_offset=True) == []
    assert "frames 7 are like no frame near there" in refusals(two_mice(), [placed({7: None})], apply_offset=True)[0]


def test_a_crop_that_no_picture_decides_about_is_refused():
    source = Source(0, "video", Path("left.mp4"), Media(crop=(10, 0, 100, 100)))
    with pytest.raises(SourceError, match="video 'left' was labelled on a part of its frames"):
        place(two_mice(), [source], proving=True, say=print)
