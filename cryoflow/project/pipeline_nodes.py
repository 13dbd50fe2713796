"""RELION's names for the files that pass between jobs, and for job types."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import NamedTuple

_NUMBERS = {
    "MicrographGroupMetadata": 1,
    "MicrographCoordsGroup": 2,
    "ParticleGroupMetadata": 3,
    "Image2DGroupMetadata": 5,
    "DensityMap": 6,
    "Mask3D": 7,
    "ModelData": 8,
    "LogFile": 13,
}

_LABELS = {
    "micrographs": "MicrographGroupMetadata.star.relion",
    "coordinates": "MicrographCoordsGroup.star.relion",
    "particles": "ParticleGroupMetadata.star.relion",
    "averages": "Image2DGroupMetadata.star.relion",
    "optimiser": "OptimiserData.star.relion",
    "map": "DensityMap.mrc",
}


class ProcessType(NamedTuple):
    """RELION's name of a job type: a number in RELION 3, a label in RELION 4 and later."""

    number: int
    label: str


class Node(NamedTuple):
    """A file that one job passes to another.

    Attributes
    ----------
    name : str
        Project-relative path.
    label : str
        RELION's type label, e.g. ``ParticleGroupMetadata.star.relion``.
    """

    name: str
    label: str


def number_of(label: str) -> int:
    """Return RELION 3's number for a type label; that of particles for an unknown label."""
    return _NUMBERS.get(label.partition(".")[0], 3)


def guess_node(name: str) -> Node:
    """Return the node for an input file; its kind follows from its name, as in RELION's file choosers."""
    file = PurePosixPath(name).name
    if file.startswith("coords_suffix") or file.endswith("pick.star"):
        return Node(name, _LABELS["coordinates"])
    if "micrographs" in file:
        return Node(name, _LABELS["micrographs"])
    if "class_averages" in file or file.endswith(".mrcs"):
        return Node(name, _LABELS["averages"])
    if file.endswith(("_model.star", "_optimiser.star")):
        return _refined(Node(name, _LABELS["optimiser"]), numbers=file.endswith("_model.star"))
    return Node(name, _LABELS["map" if file.endswith(".mrc") else "particles"])


def known_as(node: Node, labels: bool) -> Node:
    """Return the node under the name that this version of RELION uses.

    RELION 3 passes on ``coords_suffix_autopick.star`` and the model of a classification,
    RELION 4 and later ``autopick.star`` and its optimiser.
    """
    path = PurePosixPath(node.name)
    if node.label.startswith("MicrographCoordsGroup"):
        stem = path.name.removeprefix("coords_suffix_")
        return node._replace(name=str(path.with_name(stem if labels else f"coords_suffix_{stem}")))
    if node.label.startswith(("OptimiserData", "ModelData")):
        return _refined(node, numbers=not labels)
    return node


def _refined(node: Node, numbers: bool) -> Node:
    old, new = ("_optimiser.star", "_model.star") if numbers else ("_model.star", "_optimiser.star")
    label = "ModelData" if numbers else "OptimiserData"
    rest = node.label.partition(".")[2]
    return Node(node.name.replace(old, new), f"{label}.{rest}")
