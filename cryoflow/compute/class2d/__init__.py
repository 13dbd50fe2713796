"""Two-dimensional classification by maximum a posteriori expectation maximisation."""

from cryoflow.compute.class2d.initialise import start
from cryoflow.compute.class2d.iterate import iterate
from cryoflow.compute.class2d.schedule import Fill, classes_in_use, to_fill
from cryoflow.compute.class2d.split_classes import reseed_empty
from cryoflow.compute.class2d.state import Changes, Data, Halves, Model, Options, Particles, State

__all__ = [
    "Changes",
    "Data",
    "Fill",
    "Halves",
    "Model",
    "Options",
    "Particles",
    "State",
    "classes_in_use",
    "iterate",
    "reseed_empty",
    "start",
    "to_fill",
]
