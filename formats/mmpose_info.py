"""The ``dataset_info`` of mmpose: a skeleton as the configuration file that ``metainfo=dict(from_file=...)`` names."""

from __future__ import annotations

from pathlib import Path

from pose.skeleton import Skeleton


def write(skeleton: Skeleton, target: Path) -> None:
    """Write it.

    Args:
        skeleton: Without retired keypoints.
        target: The file, Python of literals alone.
    """
    names = skeleton.keypoints
    mirrored = {a: names[b] for pair in skeleton.swap for a, b in (pair, pair[::-1])}
    lines = [
        "dataset_info = {",
        f"    'dataset_name': {skeleton.name or 'posetween'!a},",
        "    'paper_info': {},",
        "    'keypoint_info': {",
        *(
            f"        {k}: {{'name': {name!a}, 'id': {k}, 'type': '', 'swap': {mirrored.get(k, '')!a}}},"
            for k, name in enumerate(names)
        ),
        "    },",
        "    'skeleton_info': {",
        *(
            f"        {number}: {{'link': ({names[a]!a}, {names[b]!a}), 'id': {number}}},"
            for number, (a, b) in enumerate(skeleton.edges)
        ),
        "    },",
        f"    'joint_weights': {[1.0] * skeleton.size},",
        f"    'sigmas': {skeleton.oks_sigmas().tolist()},",
        "}",
    ]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
