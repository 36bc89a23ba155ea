"""The labels of a CVAT file: a skeleton and its keypoints, the edges in a drawing of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat
from xml.sax.saxutils import escape

from formats.errors import refuse
from formats.xml_text import allowed, tag
from pose.skeleton import MAX_KEYPOINTS, Skeleton, SkeletonError


@dataclass
class Label:
    """A label as a file lists it."""

    name: str = ""
    type: str = ""
    parent: str = ""
    svg: str = ""


@dataclass
class Labels:
    """What is known of the keypoints while a file is read.

    Attributes:
        listed: The labels of the file's head.
        used: Names of the skeletons that subjects are of, as they come.
        keypoints: By name, the column of each, as they come.
    """

    listed: list[Label] = field(default_factory=list)
    used: dict[str, None] = field(default_factory=dict)
    keypoints: dict[str, int] = field(default_factory=dict)

    def column(self, keypoint: str) -> int:
        """The column of a keypoint; -1 where there are too many."""
        if keypoint not in self.keypoints and len(self.keypoints) == MAX_KEYPOINTS:
            return -1
        return self.keypoints.setdefault(keypoint, len(self.keypoints))

    def skeleton(self, path: Path) -> tuple[Skeleton, list[int]]:
        """The skeleton, and where each of its keypoints is among the columns.

        Raises:
            FormatError: There is none, or more than one.
        """
        drawn = [label for label in self.listed if label.type == "skeleton" or label.svg]
        drawn = [label for label in drawn if label.name in self.used] or drawn[:1]
        parts = {label.name: self._parts(label.name) for label in drawn}
        if len({frozenset(names) for names in parts.values()}) > 1:
            raise refuse(path, "labels", f"the skeletons {', '.join(parts)[:200]} have different keypoints")
        names = [*dict.fromkeys([*(next(iter(parts.values()), [])), *self.keypoints])]
        if not names:
            raise refuse(path, "labels", "there is no skeleton")
        edges = _edges(drawn[0].svg, names) if drawn else ()
        called = drawn[0].name if drawn else next(iter(self.used), "")
        try:
            skeleton = Skeleton(name=called, keypoints=tuple(names), edges=edges)
        except SkeletonError as error:
            raise refuse(path, "labels", str(error)) from None
        return skeleton, [self.column(name) for name in names]

    def _parts(self, parent: str) -> list[str]:
        return [label.name for label in self.listed if label.parent == parent and label.type in ("points", "")]


def _edges(svg: str, keypoints: list[str]) -> tuple[tuple[int, int], ...]:
    """The edges of a drawing: nodes have names, lines join nodes; nothing where it cannot be read."""
    nodes: dict[str, int] = {}
    pairs: list[tuple[str, str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "circle":
            place = len(nodes)
            label = attributes.get("data-label-name")
            place = keypoints.index(label) if label in keypoints else place
            nodes[attributes.get("data-node-id", "")] = place
        elif name == "line":
            pairs.append((attributes.get("data-node-from", ""), attributes.get("data-node-to", "")))

    def refused(*_: object) -> None:
        raise expat.ExpatError("a document type is not read")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refused
    try:
        parser.Parse(f"<svg>{svg}</svg>", True)
    except (expat.ExpatError, ValueError):
        return ()
    found = ((nodes.get(a, -1), nodes.get(b, -1)) for a, b in pairs)
    count = len(keypoints)
    return tuple(dict.fromkeys((a, b) for a, b in found if a != b and 0 <= a < count and 0 <= b < count))


def label_lines(skeleton: Skeleton) -> list[str]:
    """The labels as lines of XML, the keypoints drawn on a circle."""
    name = skeleton.name or "subject"
    lines = ["<labels>", *_label(name, "skeleton", f"<svg>{escape(allowed(_drawing(skeleton)))}</svg>")]
    for keypoint in skeleton.keypoints:
        lines += _label(keypoint, "points", f"<parent>{escape(allowed(name))}</parent>")
    return [*lines, "</labels>"]


def _label(name: str, kind: str, more: str) -> list[str]:
    return ["<label>", f"<name>{escape(allowed(name))}</name>", f"<type>{kind}</type>", "<attributes>", "</attributes>",
            more, "</label>"]  # fmt: skip


def _drawing(skeleton: Skeleton) -> str:
    turns = [2 * math.pi * k / skeleton.size for k in range(skeleton.size)]
    places = [(f"{50 + 40 * math.sin(turn):.2f}", f"{50 - 40 * math.cos(turn):.2f}") for turn in turns]
    drawing = []
    for a, b in skeleton.edges:
        (x1, y1), (x2, y2) = places[a], places[b]
        line = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "data-type": "edge", "data-node-from": a + 1}
        drawing.append(tag("line", {**line, "data-node-to": b + 1}, end=True))
    for k, name in enumerate(skeleton.keypoints):
        node = {"r": "0.75", "cx": places[k][0], "cy": places[k][1], "data-type": "element node"}
        node |= {"data-element-id": str(k + 1), "data-node-id": str(k + 1), "data-label-name": name}
        drawing.append(tag("circle", dict(node), end=True))
    return "".join(drawing)
