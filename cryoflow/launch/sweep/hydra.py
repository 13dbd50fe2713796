"""Run the points of a sweep through Hydra's launchers and sweepers, in separate processes."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cryoflow.errors import CryoflowError, SpecError
from cryoflow.files.atomic import write_bytes
from cryoflow.launch.launchers import register_launcher
from cryoflow.launch.outcome import Outcome, Request
from cryoflow.launch.overrides import CONFIG, plain_override, store
from cryoflow.launch.plan import Plan
from cryoflow.launch.previous_runs import Known
from cryoflow.launch.sweep.objective import NoValue, score
from cryoflow.launch.sweep.point import run_point_once
from cryoflow.launch.sweep.table import Row, results
from cryoflow.project.context import SweepCache
from cryoflow.project.directory import HIDDEN
from cryoflow.screen import print_error
from cryoflow.spec import parse_spec

if TYPE_CHECKING:
    from omegaconf import DictConfig

_KNOWN, _STOP = "known.json", "stop"

#: Without this in the environment Hydra prints tracebacks and exits.
_FULL_ERROR = "HYDRA_FULL_ERROR"


class Ended(NamedTuple):
    """A point that has ended.

    Attributes
    ----------
    values : tuple of str
        Its ``field=value``.
    outcome : Outcome
        How it ended.
    row : dict
        What it has found.
    """

    values: tuple[str, ...]
    outcome: Outcome
    row: Row


def launch_points(plan: Plan, request: Request, launcher: str, known: Known) -> list[Ended]:
    """Run the points of a sweep through Hydra.

    Parameters
    ----------
    plan : Plan
        The spec and its overrides, validated already.
    request : Request
        Where and how to run.
    launcher : str
        A launcher preset; empty for the launcher that Hydra's own settings choose, or this process.
    known : dict
        Points that an earlier, interrupted run of this sweep has started or finished.

    Returns
    -------
    list of Ended
        One a point, in Hydra's order; a point without a result (its worker was killed) counts as failed.
    """
    folder = Path(request.project) / HIDDEN / "launch" / secrets.token_hex(4)
    launch = {"folder": str(folder), "request": request._asdict(), "search": plan.search}
    overridden = {plain_override(text).partition("=")[0] for text in plan.overrides}
    store(plan.spec, overridden, _hydra(folder, launcher), launch=launch)
    if known:
        write_bytes(folder / _KNOWN, json.dumps(known).encode())
    try:
        _through_hydra([*plan.overrides, *plan.hydra, "--multirun"])
    except KeyboardInterrupt:
        _remove(folder)
        raise
    finally:
        _cache_of.cache_clear()
    if (folder / _STOP).exists():
        why = (folder / _STOP).read_text(encoding="utf-8")
        _remove(folder)
        raise CryoflowError(why)
    return _collected(folder, plan, Path(request.project))


def _through_hydra(arguments: Sequence[str]) -> None:
    """Run Hydra; what stops it is reported in one line, and points without an outcome count as failed."""
    try:
        with _command_line(arguments):
            _main()
    except SystemExit:
        pass  # a search without a value
    except Exception as error:
        print_error(f"Hydra: {' '.join(str(error).split())}")


def _collected(folder: Path, plan: Plan, project: Path) -> list[Ended]:
    there = {int(path.stem) for path in folder.glob("[0-9]*.json")}
    points = sorted(there) if plan.search else list(range(len(plan.points)))
    outcomes = [_read(folder, plan, point) for point in points]
    if there.issuperset(points):
        _remove(folder)  # otherwise the launcher's own logs may show what happened
    return [Ended(*one, results(project, one[1])) for one in outcomes]


def run_point(config: DictConfig) -> float | None:
    """Run the composed point in the process that the launcher has started.

    Raises
    ------
    CryoflowError
        In a search, if the point has failed: its sweeper records that and continues.
    SystemExit
        If the results lack the column of the objective: no point will have it.
    """
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    plain: Any = OmegaConf.to_container(config)
    launch, hydra = plain["launch"], HydraConfig.get()
    request, folder = Request(**launch["request"]), Path(launch["folder"])
    if (folder / _STOP).exists():  # a worker cannot end the others
        raise SystemExit(2)
    outcome = _run(plain["spec"], request, folder)
    values = [plain_override(word) for word in hydra.overrides.task]
    write_bytes(folder / f"{hydra.job.num}.json", json.dumps([values, outcome]).encode())
    if not launch["search"]:
        return None
    try:
        return score(plain["spec"]["objective"], Path(request.project), outcome)
    except NoValue as error:
        write_bytes(folder / _STOP, str(error).encode())
        raise SystemExit(2) from error


def _run(spec: Any, request: Request, folder: Path) -> Outcome:
    known = json.loads((folder / _KNOWN).read_text("utf-8")) if (folder / _KNOWN).exists() else {}
    try:
        cache = _cache_of(request.sweep) if request.sweep else None
        return run_point_once(parse_spec(spec), request, known, cache)
    except SpecError as error:  # a search has tried a point that breaks a rule
        print_error(str(error))
        return Outcome("", 2, str(error))


@lru_cache(1)
def _cache_of(sweep: str) -> SweepCache:
    """Return the cache of the sweep whose points Hydra gives to this process, one after the other."""
    return SweepCache()


def _main() -> None:
    import hydra

    hydra.main(version_base="1.3", config_path=None, config_name=CONFIG)(run_point)()


def _hydra(folder: Path, launcher: str) -> dict[str, Any]:
    """Return the settings that keep Hydra quiet and out of the user's folders."""
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
    """Give Hydra these arguments, which it reads from ``sys.argv``, and have it raise its errors."""
    before, full = sys.argv, os.environ.get(_FULL_ERROR)
    sys.argv = [before[0] if before else "cryoflow", *arguments]
    os.environ[_FULL_ERROR] = "1"
    try:
        yield
    finally:
        sys.argv = before
        os.environ.pop(_FULL_ERROR)
        if full is not None:
            os.environ[_FULL_ERROR] = full


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # not empty: in use by others
        folder.parent.rmdir()
        folder.parent.parent.rmdir()


def _read(folder: Path, plan: Plan, point: int) -> tuple[tuple[str, ...], Outcome]:
    try:
        values, ended = json.loads((folder / f"{point}.json").read_text(encoding="utf-8"))
        directory, code, message, outputs = ended
        return tuple(values), Outcome(directory, code, message, tuple(outputs))
    except (OSError, ValueError, TypeError):
        logs = f"{HIDDEN}/launch/{folder.name}"
        why = f"produced no result: its worker was killed or never started (the launcher's logs: {logs})"
        values = plan.points[point] if point < len(plan.points) else ()
        return values, Outcome("", 1, f"point {point + 1} {why}")
