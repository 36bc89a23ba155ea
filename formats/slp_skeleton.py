"""The skeleton of a SLEAP project: JSON of a Python object, of which nothing is made but a skeleton."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from formats.errors import refuse
from pose.skeleton import Skeleton, SkeletonError

_EDGE, _SYMMETRY = 1, 2


def read_skeleton(path: Path, metadata: dict[str, Any]) -> Skeleton:
    """The skeleton of a project's metadata.

    Args:
        path: The file, for errors.
        metadata: What stands there.

    Raises:
        FormatError: There is none, there are several that differ, or it contradicts itself.
    """
    try:
        names = [str(node["name"]) for node in metadata["nodes"]]
        found = [_read(said.get("nx_graph", said), names) for said in metadata["skeletons"]]
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        sentence = str(error) if isinstance(error, SkeletonError) else "this is no skeleton as SLEAP writes them"
        raise refuse(path, "metadata", sentence) from None
    if not found or len({one.keypoints for one in found}) > 1:
        raise refuse(path, "metadata", f"{len(found)} skeletons; poses of one are read")
    return found[0]


def _read(said: dict[str, Any], names: list[str]) -> Skeleton:
    order = [int(node["id"]) for node in said["nodes"]]
    place = {node: index for index, node in enumerate(order)}
    kinds: dict[int, int] = {}  # objects that are met again, in the order in which they came
    edges: list[tuple[int, int]] = []
    swap: list[tuple[int, int]] = []
    for link in said["links"]:
        kind = link["type"]
        if "py/reduce" in kind:
            value = int(kind["py/reduce"][1]["py/tuple"][0])
            kinds[len(kinds) + 1] = value
        else:
            value = kinds.get(int(kind["py/id"]), int(kind["py/id"]))
        pair = place[int(link["source"])], place[int(link["target"])]
        if value == _EDGE:
            edges.append(pair)
        elif value == _SYMMETRY and pair not in swap and pair[::-1] not in swap:
            swap.append(pair)
    return Skeleton(
        name=str(said.get("graph", {}).get("name", "")),
        keypoints=tuple(names[node] for node in order),
        edges=tuple(edges),
        swap=tuple(swap),
    )


def write_skeleton(skeleton: Skeleton) -> dict[str, Any]:
    """The skeleton as a project's metadata have it."""
    links: list[dict[str, Any]] = []
    seen: dict[int, int] = {}
    for kind, pairs in ((_EDGE, skeleton.edges), (_SYMMETRY, skeleton.swap)):
        for place, (a, b) in enumerate(pairs):
            known = kind in seen
            seen.setdefault(kind, len(seen) + 1)
            made = {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [kind]}]}
            link: dict[str, Any] = {
                "key": 0,
                "source": a,
                "target": b,
                "type": {"py/id": seen[kind]} if known else made,
            }
            links.append({"edge_insert_idx": place, **link} if kind == _EDGE else link)
    graph = {"name": skeleton.name, "num_edges_inserted": len(skeleton.edges)}
    nodes = [{"id": place} for place in range(skeleton.size)]
    return {
        "skeletons": [{"directed": True, "graph": graph, "links": links, "multigraph": True, "nodes": nodes}],
        "nodes": [{"name": name, "weight": 1.0} for name in skeleton.keypoints],
    }
