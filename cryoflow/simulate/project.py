"""A whole synthetic project on disk, as if the tutorial's steps 1 to 9 had been run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.atomic import replacing
from cryoflow.files.mrc import join_image_name, write_mrc
from cryoflow.files.star import write_star
from cryoflow.seeds import seed_for
from cryoflow.simulate.micrograph import Image, simulate_micrograph
from cryoflow.simulate.options import SimulateOptions
from cryoflow.simulate.sample import Sample
from cryoflow.simulate.scene import Scene, random_scene

MICROGRAPHS = "Micrographs"
CTF_TABLE = "CtfFind/job003/micrographs_ctf.star"
SELECTED_TABLE = "Select/job005/micrographs_selected.star"
REFERENCES = "Select/job009/class_averages.star"
TRUTH = "truth"


class SimulatedProject(NamedTuple):
    """Directory and counts of a simulated project."""

    directory: Path
    micrographs: int
    particles: int


def simulate_project(
    directory: Path, options: SimulateOptions, say: Callable[[str], None] = lambda line: None
) -> SimulatedProject:
    """Write micrographs, CTF and selection tables, references and the truth about them.

    Parameters
    ----------
    directory : Path
        New or without files of an earlier project.
    options : SimulateOptions
        What to simulate; equal options give equal bytes, and a larger number of micrographs leaves the
        first ones unchanged.
    say : callable
        Called with one line per micrograph.

    Raises
    ------
    FileError
        If the directory holds micrographs already or cannot be written.
    CryoflowError
        If the objects do not fit.
    """
    if (directory / MICROGRAPHS).exists():
        raise FileError(directory, "holds micrographs already; choose another directory or remove it")
    try:
        return _write_project(directory, options, say)
    except OSError as error:
        raise FileError(error.filename or directory, f"cannot be written ({error.strerror})") from error


def _write_project(directory: Path, options: SimulateOptions, say: Callable[[str], None]) -> SimulatedProject:
    sample = Sample(options)
    names = [f"mic{number:03d}" for number in range(1, options.micrographs + 1)]
    _check(sample, names)
    for name in (MICROGRAPHS, TRUTH):
        (directory / name).mkdir(parents=True, exist_ok=True)
    for name in (CTF_TABLE, SELECTED_TABLE, REFERENCES):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in names:
        made = simulate_micrograph(name, sample)
        _write_micrograph(directory / MICROGRAPHS / f"{made.scene.name}.mrc", made.image, options)
        write_star(directory / TRUTH / f"{made.scene.name}.star", {"": truth_table(made.scene)})
        rows.append(_ctf_row(made.scene, options))
        say(f"{made.scene.name}: {options.particles} particles, {_defocus_um(made.scene):.2f} um underfocus")
    table = pd.DataFrame(rows)
    write_star(directory / CTF_TABLE, {"": table})
    write_star(directory / SELECTED_TABLE, {"": table.iloc[: options.selected]})
    _write_references(directory, sample)
    _write_json(directory / TRUTH / "params.json", _parameters(options))
    _write_json(directory / TRUTH / "symmetry.json", sample.operations.round(12).tolist())
    return SimulatedProject(directory, options.micrographs, options.micrographs * options.particles)


def _check(sample: Sample, names: list[str]) -> None:
    """Check that the project can be simulated before anything is written."""
    _ = sample.model
    for name in names:
        random_scene(name, sample.options)


def truth_table(scene: Scene) -> pd.DataFrame:
    """Positions (pixels), kinds and poses (degrees) of a scene's objects, as truth files hold them."""
    return pd.DataFrame(
        {
            "rlnCoordinateX": scene.centres_yx[:, 1],
            "rlnCoordinateY": scene.centres_yx[:, 0],
            "truthKind": scene.kinds,
            "truthRot": scene.angles_deg[:, 0],
            "truthTilt": scene.angles_deg[:, 1],
            "truthPsi": scene.angles_deg[:, 2],
        }
    )


def _write_micrograph(path: Path, image: Image, options: SimulateOptions) -> None:
    if options.mode == "int16":
        write_mrc(path, np.rint(image).clip(-32768, 32767).astype(np.int16), options.pixel_size, mode=1)
    else:
        write_mrc(path, image, options.pixel_size)


def _write_references(directory: Path, sample: Sample) -> None:
    images = sample.references().astype(np.float32)
    stack = str(Path(REFERENCES).with_suffix(".mrcs").as_posix())
    write_mrc(directory / stack, images, 2 * sample.options.pixel_size)
    names = [join_image_name(index, stack) for index in range(len(images))]
    write_star(directory / REFERENCES, {"": pd.DataFrame({"rlnReferenceImage": names})})


def _ctf_row(scene: Scene, options: SimulateOptions) -> dict[str, Any]:
    rng = np.random.default_rng(seed_for(options.seed, "simulate", "ctf", scene.name))
    return {
        "rlnMicrographName": f"{MICROGRAPHS}/{scene.name}.mrc",
        "rlnCtfImage": f"{MICROGRAPHS}/{scene.name}.ctf:mrc",
        "rlnDefocusU": scene.optics.defocus_u_a,
        "rlnDefocusV": scene.optics.defocus_v_a,
        "rlnDefocusAngle": scene.optics.angle_deg,
        "rlnVoltage": options.voltage,
        "rlnSphericalAberration": options.cs,
        "rlnAmplitudeContrast": options.amplitude_contrast,
        "rlnMagnification": 10000.0,
        "rlnDetectorPixelSize": options.pixel_size,
        "rlnCtfFigureOfMerit": round(rng.uniform(0.1, 0.2), 4),
        "rlnCtfMaxResolution": round(rng.uniform(3.5, 6.0), 4),
    }


def _defocus_um(scene: Scene) -> float:
    return (scene.optics.defocus_u_a + scene.optics.defocus_v_a) / 2e4


def _parameters(options: SimulateOptions) -> dict[str, Any]:
    return {
        "mics": options.micrographs,
        "size": list(options.size),
        "angpix": options.pixel_size,
        "per_mic": options.particles,
        "seed": options.seed,
        "snr": options.snr,
        "carbon": options.carbon,
        "junk": options.contaminants,
        "broken": options.broken,
        "diam": options.diameter,
        "kv": options.voltage,
        "cs": options.cs,
        "ac": options.amplitude_contrast,
        "defocus": list(options.defocus),
        "int16": options.mode == "int16",
        "model": options.model,
        "symmetry": options.point_group,
        "distance": options.spacing,
        "box": options.box,
        "reference_box": options.reference_box,
        "references": options.references,
    }


def _write_json(path: Path, value: object) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n")
