"""What an import says of the videos."""

from __future__ import annotations

import pytest

from cli.dataset_counts import counts
from cli.importing.telling import source_line
from tests.cli.importing.conftest import placed
from tests.formats.tables import two_mice


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ({0: 0, 7: 8}, "; 1 of 2 pictures are the frames that they say, 1 is 1 frame later"),
        (
            {0: 2, 7: 5, 9: 7},
            ", 2 are 2 frames earlier, 1 is 2 frames later",
        ),
        ({0: 0, 7: None}, "; 1 of 2 pictures are the frames that they say, 1 is like no frame near"),
        ({0: None, 7: None}, ", 2 are like no frame near"),
    ],
)
def test_what_pictures_prove_of_a_video(frames, said):
    line = source_line(counts(two_mice())["videos"][0], placed(frames))
    assert line.endswith(said)
