"""Hand the points of a spec to a Hydra launcher and collect how each of them ended."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryoflow.launch.job import Outcome, Request, run_job
from cryoflow.launch.plan import Plan
from cryoflow.launch.points import CONFIG, store
from cryoflow.launch.presets import register_launcher
from cryoflow.project.directory import HIDDEN
from cryoflow.spec import parse_spec

if TYPE_CHECKING:
    from omegaconf import DictConfig


def launch_points(plan: Plan, request: Request, launcher: str | None) -> list[Outcome]:
    """Run the points of a spec through Hydra.

    Parameters
    ----------
    plan : Plan
        The spec and its overrides, checked already.
    request : Request
        Where and how to run.
    launcher : str or None
        A launcher preset for a sweep; None for a single job in this process.

    Returns
    -------
    list of Outcome
        One a point, in Hydra's order; a point that ended without a word (a killed worker) counts as failed.
    """
    folder = Path(request.project) / HIDDEN / "launch" / secrets.token_hex(4)
    store(plan.spec, _hydra(folder, launcher), launch={"folder": str(folder), "request": request._asdict()})
    arguments = list(plan.overrides) + (["--multirun"] if launcher else [])
    try:
        with _command_line(arguments):
            _main()
    except SystemExit:
        pass  # Hydra has told why; the points without an outcome are counted below
    except KeyboardInterrupt:
        _remove(folder)
        raise
    files = [folder / f"{point}.json" for point in range(len(plan.points))]
    outcomes = [_read(path, point) for point, path in enumerate(files)]
    if all(path.exists() for path in files):  # otherwise a launcher's own logs may tell what happened
        _remove(folder)
    return outcomes


def run_point(config: DictConfig) -> None:
    """Run the composed point in whatever process the launcher has chosen."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    plain: Any = OmegaConf.to_container(config)
    outcome = run_job(parse_spec(plain["spec"]), Request(**plain["launch"]["request"]))
    job = HydraConfig.get().job
    number = 0 if OmegaConf.is_missing(job, "num") else job.num
    folder = Path(plain["launch"]["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{number}.json").write_text(json.dumps(outcome), encoding="utf-8")


def _main() -> None:
    import hydra

    hydra.main(version_base="1.3", config_path=None, config_name=CONFIG)(run_point)()


def _hydra(folder: Path, launcher: str | None) -> dict[str, Any]:
    """Return what keeps Hydra quiet, in its place, and out of the user's folders."""
    quiet: list[Any] = [{f"override hydra/{log}": "none"} for log in ("job_logging", "hydra_logging")]
    defaults = ["_self_", *quiet]
    if launcher:
        defaults.append({"override hydra/launcher": register_launcher(launcher)})
    return {
        "defaults": defaults,
        "hydra": {
            "job": {"chdir": False},
            "output_subdir": None,
            "run": {"dir": str(folder)},
            "sweep": {"dir": str(folder), "subdir": "${hydra.job.num}"},
        },
    }


@contextmanager
def _command_line(arguments: Sequence[str]) -> Iterator[None]:
    """Let Hydra read these arguments: it takes them from the process's own."""
    before = sys.argv
    sys.argv = [before[0] if before else "cryoflow", *arguments]
    try:
        yield
    finally:
        sys.argv = before


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # not empty: others use them
        folder.parent.rmdir()
        folder.parent.parent.rmdir()


def _read(path: Path, point: int) -> Outcome:
    try:
        return Outcome(*json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        why = "ended without a word; its worker was killed or never started"
        return Outcome("", 1, f"point {point + 1} {why}")
