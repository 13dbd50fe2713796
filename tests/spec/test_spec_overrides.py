"""Names on the command line: dotted, short, or the label."""

import pytest

from cryoflow.errors import SpecError
from cryoflow.spec import SPEC_CLASSES
from cryoflow.spec.overrides import resolve_override


@pytest.mark.parametrize(
    ("job", "override", "resolved"),
    [
        ("AutoPick", "Picking threshold=0.6,0.8", "autopicking.picking_threshold=0.6,0.8"),
        ("AutoPick", "picking threshold:=0.6", "autopicking.picking_threshold=0.6"),
        ("AutoPick", "picking_threshold=0.6", "autopicking.picking_threshold=0.6"),
        ("AutoPick", "autopicking.picking_threshold=0.6", "autopicking.picking_threshold=0.6"),
        ("AutoPick", "Autopicking.Picking threshold = 0.6", "autopicking.picking_threshold=0.6"),
        ("AutoPick", "I/O.2D references=a=b", "io.reference_2d=a=b"),
        ("AutoPick", "Mask diameter (A)=-1", "references.mask_diameter=-1"),
        ("AutoPick", "OR: use Laplacian-of-Gaussian?=Yes", "io.use_laplacian_of_gaussian=Yes"),
        ("AutoPick", "number=", "number="),
        ("AutoPick", "STAR style=3.1", "star_style=3.1"),
        ("AutoPick", "Device=cpu", "compute.device=cpu"),
        ("AutoPick", "References.Lowpass filter references=15", "references.lowpass_filter_references=15"),
        ("Select", "selection.top.n=5", "selection.top.n=5"),
        ("Select", "selection.columns.rlnX.max=5", "selection.columns.rlnX.max=5"),
        ("Select", "classes=[1,2]", "selection.classes=[1,2]"),
        ("Select", "OR select from particles.star=a.star", "io.select_from_particles_star=a.star"),
        ("Select", "I/O.OR select from particles.star=a.star", "io.select_from_particles_star=a.star"),
        ("Class2D", "Number of classes=50,100", "optimization.number_of_classes=50,100"),
    ],
)
def test_resolved(job: str, override: str, resolved: str) -> None:
    assert resolve_override(SPEC_CLASSES[job], override) == resolved


@pytest.mark.parametrize(
    ("job", "override", "problem"),
    [
        (
            "AutoPick",
            "Picking treshold=1",
            "AutoPick has no field 'Picking treshold'; did you mean 'Picking threshold'?",
        ),
        (
            "AutoPick",
            "picking_treshold=1",
            "AutoPick has no field 'picking_treshold'; did you mean 'picking_threshold'?",
        ),
        (
            "AutoPick",
            "autopicking.pick_threshold=1",
            "AutoPick has no field 'autopicking.pick_threshold'; did you mean 'autopicking.picking_",
        ),
        ("AutoPick", "xyz=1", "AutoPick has no field 'xyz'"),
        ("AutoPick", "autopicking=1", "AutoPick has no field 'autopicking'"),
        ("AutoPick", "job=Sort", "AutoPick has no field 'job'"),
        ("AutoPick", "picking_threshold.x=1", "AutoPick has no field 'picking_threshold.x'"),
        ("AutoPick", "+picking_threshold=1", "write it as field=value"),
        ("AutoPick", "picking_threshold", "write it as field=value"),
        (
            "AutoPick",
            "Tube diameter=100",
            "helical processing is not part of cryoflow",
        ),
    ],
)
def test_refused(job: str, override: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        resolve_override(SPEC_CLASSES[job], override)
    assert caught.value.problems[0].startswith(f"override '{override}': {problem}")
    assert len(caught.value.problems) == 1
