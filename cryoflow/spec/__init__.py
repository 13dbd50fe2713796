"""Specs: frozen models of RELION's job types, independent of files and tensors."""

from cryoflow.spec.autopick import AutoPick
from cryoflow.spec.base import Broken, Compute, JobSpec, Section
from cryoflow.spec.class2d import Class2D
from cryoflow.spec.extract import Extract
from cryoflow.spec.jobs import SPEC_CLASSES
from cryoflow.spec.load import load_spec, parse_spec, spec_dump
from cryoflow.spec.select import Select
from cryoflow.spec.sort import Sort

__all__ = [
    "SPEC_CLASSES",
    "AutoPick",
    "Broken",
    "Class2D",
    "Compute",
    "Extract",
    "JobSpec",
    "Section",
    "Select",
    "Sort",
    "load_spec",
    "parse_spec",
    "spec_dump",
]
