"""Spec files: every problem at once, with its line; and the shapes a file must not have."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from cryoflow.errors import FileError, SpecError
from cryoflow.spec import AutoPick, Sort, load_spec

JOBS = "AutoPick, Extract, Sort, Select, Class2D"

BAD = """\
job: AutoPick
alias: a b
I/O:
  Input micrographs for autopick: -
  2D referense: x
autopicking:
  Picking treshold: 0.8
  Write FOM maps?: Nope
  Shrink factor: 1.5
  Lowpass filter references (A): 20
  Minimum inter-particle distance: near
  Minimum inter-particle distance: near
  minimum_inter_particle_distance: 3
  Helical rise (A): 3
  Mask diameter (pix): 3
Autopiking:
  Picking threshold: 3
Refs:
  a: b
Sampling:
  a: b
Picking threshold: 3
References: 7
picking_treshold: 2
laplacian:
  are_the_particle_white: No
  xyz: 3
"""

PROBLEMS = """\
FILE:2: alias: 'a b' cannot name a directory; use letters, digits and _, and do not start with 'job'
FILE:4: I/O > Input micrographs for autopick: needs a value
FILE:5: I/O > 2D referense: unknown field; did you mean '2D reference'?
FILE:7: autopicking > Picking treshold: unknown field; did you mean 'Picking threshold'?
FILE:8: autopicking > Write FOM maps?: 'Nope' is neither Yes nor No
FILE:9: autopicking > Shrink factor: 1.5 is out of range; allowed: 0 to 1
FILE:10: autopicking > Lowpass filter references (A): belongs in section 'References'; move it there
FILE:11: autopicking > Minimum inter-particle distance: 'near' is not a number
FILE:12: autopicking > Minimum inter-particle distance: appears twice, first on line 11; keep one
FILE:13: autopicking > minimum_inter_particle_distance: names the same field as another line; keep one
FILE:14: autopicking > Helical rise (A): helical processing is not part of cryoflow; leave this field out, \
or use RELION for helical specimens
FILE:15: autopicking > Mask diameter (pix): unknown field; did you mean 'Mask diameter (A)' in section \
'References'?
FILE:16: Autopiking: unknown section; did you mean 'autopicking'?
FILE:18: Refs: unknown section; AutoPick has: I/O, Laplacian, References, autopicking, Statistics, Compute
FILE:20: Sampling: AutoPick has no such section, Class2D has
FILE:22: Picking threshold: is a field of section 'autopicking'; put it under that heading
FILE:23: References: expected fields below this heading, got '7'
FILE:24: picking_treshold: unknown field; did you mean 'picking_threshold' in section 'autopicking'?
FILE:26: laplacian > are_the_particle_white: unknown field; did you mean 'are_the_particles_white'?
FILE:27: laplacian > xyz: unknown field; for all fields see: cryoflow fields AutoPick
"""

GOOD = """\
job: AutoPick
I/O:
  Input micrographs for autopick: m.star
  2D reference: r.star
"""


def problems_of(file: Path, text: str, *overrides: str) -> list[str]:
    file.write_text(textwrap.dedent(text))
    with pytest.raises(SpecError) as caught:
        load_spec(file, overrides)
    return [problem.replace(str(file), "FILE") for problem in caught.value.problems]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pick.yaml"


def test_every_problem_at_once_by_line(file: Path) -> None:
    assert problems_of(file, BAD) == PROBLEMS.splitlines()


def test_rules_are_told_beside_wrong_values(file: Path) -> None:
    text = GOOD + "autopicking:\n  Picking threshold: x\n  Write FOM maps?: Yes\n  Read FOM maps?: Yes\n"
    assert problems_of(file, text) == [
        "FILE:6: autopicking > Picking threshold: 'x' is not a number",
        "FILE:8: autopicking > Read FOM maps?: FOM maps are either written or read; set one of the two to No",
    ]


def test_a_rule_about_a_wrong_value_is_not_judged(file: Path) -> None:
    text = "job: Extract\nI/O:\n  micrograph STAR file: m\n  Input coordinatez: c\n"
    assert problems_of(file, text) == [
        "FILE:4: I/O > Input coordinatez: unknown field; did you mean 'Input coordinates'?"
    ]
    text = "job: Extract\nI/O:\n  micrograph STAR file: m\n  Input coordinates: [a]\n"
    assert problems_of(file, text) == ["FILE:4: I/O > Input coordinates: expected text, got ['a']"]


def test_missing_fields_are_told_beside_their_heading(file: Path) -> None:
    assert problems_of(file, "job: AutoPick\n\nI/O:\n  2D reference: r.star\n") == [
        "FILE:3: I/O > Input micrographs for autopick: is missing; this field is required"
    ]
    assert problems_of(file, "job: Sort\nReference:\n") == [
        "FILE: I/O > Input particles to be sorted: is missing; this field is required",
        "FILE: I/O > References from model.star: no references; give a model.star, "
        "or the references used for picking",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "FILE: is empty; it must name a job, e.g. 'job: AutoPick'"),
        ("# nothing\n", "FILE: is empty; it must name a job, e.g. 'job: AutoPick'"),
        ("- a\n", "FILE:1: is not a spec; expected lines such as 'job: AutoPick'"),
        ("AutoPick\n", "FILE:1: is not a spec; expected lines such as 'job: AutoPick'"),
        (
            "job: AutoPick\nI/O:\n\ta: b\n",
            "FILE:3: not valid YAML: found character '\\t' that cannot start any token; "
            "indent with spaces, not tabs",
        ),
        (
            "job: Select\nDuplicates:\n  OR: remove duplicates?: No\n",
            "FILE:3: not valid YAML: mapping values are not allowed here; "
            "text that holds ': ' needs quotes, e.g. \"OR: remove duplicates?\": No",
        ),
        ("job: [\n", "FILE:2: not valid YAML: expected the node content, but found '<stream end>'"),
        ("job: \x01\n", "FILE: not valid YAML: it contains control characters"),
        ("job: Sort\n---\njob: Sort\n", "FILE:2: not valid YAML: but found another document"),
        ("job: *a\n", "FILE:1: not valid YAML: found undefined alias 'a'"),
        ("number: 3\n", f"FILE: job: is missing; name the job type: {JOBS}"),
        ("job:\n", f"FILE:1: job: is missing; name the job type: {JOBS}"),
        ("a: 1\njob: AutoPik\n", "FILE:2: job: unknown job type 'AutoPik'; did you mean 'AutoPick'?"),
        ("job: Refine3D\n", f"FILE:1: job: unknown job type 'Refine3D'; job types: {JOBS}"),
        (GOOD + "? [a]\n: b\n", "FILE:5: a name must be text, not a list or a mapping"),
        (GOOD + "compute: &c\n  device: *c\n", "FILE:5: compute > device: refers to itself"),
    ],
)
def test_files_that_are_no_spec(file: Path, text: str, problem: str) -> None:
    assert problems_of(file, text)[0] == problem


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none.yaml: cannot be read: No such file or directory$"):
        load_spec(tmp_path / "none.yaml")
    with pytest.raises(FileError, match=r"cannot be read: Is a directory$"):
        load_spec(tmp_path)
    (tmp_path / "stack.mrcs").write_bytes(b"\x80\xff\x00")
    with pytest.raises(FileError, match=r"stack.mrcs: is not a text file \(UTF-8\); give a YAML spec$"):
        load_spec(tmp_path / "stack.mrcs")


@pytest.mark.parametrize("dash", ["-", "'-'", '"-"', "", "- # none", "null", "~"])
def test_none_as_the_tutorial_writes_it(file: Path, dash: str) -> None:
    file.write_text(
        f"job: sort\nI/O:\n  Input particles to be sorted: p.star\n"
        f"  References from model.star: {dash}\n  OR autopicking references: -1.star\n"
    )
    spec = load_spec(file)
    assert isinstance(spec, Sort)
    assert spec.io.references_from_model_star is None
    assert spec.io.autopicking_references == "-1.star"


def test_lists_still_have_dashes(file: Path) -> None:
    file.write_text(
        "job: Select\nI/O:\n  Select classes from model.star: m.star\n"
        "selection:\n  classes:\n  - 3\n  - 010\n"
    )
    assert load_spec(file).model_dump()["selection"]["classes"] == [3, 10]


def test_overrides(file: Path) -> None:
    file.write_text(GOOD + "autopicking:\n  Picking threshold: 0.8\n")
    spec = load_spec(
        file,
        [
            "Picking threshold=0.6",
            "references.mask_diameter=200",
            "I/O.2D reference=other=1.star",
            "number=7",
            "device=cpu",
            "compute.threads=2",
        ],
    )
    assert isinstance(spec, AutoPick)
    assert spec.autopicking.picking_threshold == 0.6
    assert spec.references.mask_diameter == 200
    assert spec.io.reference_2d == "other=1.star"
    assert (spec.number, spec.compute.device, spec.compute.threads) == (7, "cpu", 2)


def test_problems_with_overrides(file: Path) -> None:
    found = problems_of(
        file,
        GOOD + "autopicking:\n  Picking threshold: 0.8\n  Shrink factor: 2\n",
        "Picking threshold=-1",
        "shrnk_factor=3",
        "device",
        "Mask diameter=near",
    )
    assert sorted(found) == [
        "FILE:7: autopicking > Shrink factor: 2 is out of range; allowed: 0 to 1",
        "override 'Mask diameter=near': references > mask_diameter: 'near' is not a number",
        "override 'Picking threshold=-1': autopicking > Picking threshold: -1 is out of range; allowed: >= 0",
        "override 'device': write it as field=value",
        "override 'shrnk_factor=3': AutoPick has no field 'shrnk_factor'; did you mean 'shrink_factor'?",
    ]


def test_an_override_mends_the_file(file: Path) -> None:
    file.write_text("job: AutoPick\nI/O:\n  2D reference: r.star\nautopicking:\n  Shrink factor: 9\n")
    spec = load_spec(file, ["Shrink factor=0", "Input micrographs for autopick=m.star"])
    assert isinstance(spec, AutoPick)
    assert spec.io.input_micrographs_for_autopick == "m.star"


LIGHT = """
import sys, time
import cryoflow.spec
from cryoflow.spec.describe import field_rows
for path in sys.argv[1:]:
    cryoflow.spec.load_spec(path)
heavy = {"torch", "scipy", "pandas", "numpy", "hydra", "omegaconf", "mrcfile", "starfile"} & set(sys.modules)
assert not heavy, heavy
assert time.process_time() < 0.5, time.process_time()
"""


def test_reading_specs_is_quick_and_needs_nothing_heavy() -> None:
    root = Path(__file__).parents[2]
    files = sorted((root / "specs" / "tutorial").glob("*.yaml"))
    command = [sys.executable, "-c", LIGHT, *map(str, files)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
