"""The directory of a job, made or found, and kept from others while the job runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cryoflow.errors import CryoflowError
from cryoflow.files.atomic import remove_temporaries
from cryoflow.launch.inputs import input_files
from cryoflow.launch.job.record import first_record
from cryoflow.launch.outcome import Request
from cryoflow.project.directory import check_inside, find_job_directory, link_alias, make_job_directory
from cryoflow.project.lock import holding
from cryoflow.project.names import name_of
from cryoflow.project.record import write_record
from cryoflow.spec import JobSpec


@contextmanager
def open_directory(spec: JobSpec, request: Request, device: str) -> Iterator[Path]:
    """Make the job's directory with a first record in it, or find the one to continue, and lock it.

    Raises
    ------
    CryoflowError
        If number or alias are in use, the directory is that of another job type, or a process runs in it.
    """
    with ExitStack() as held:
        if request.continued:
            yield _found(spec, request, held)
        else:
            yield _made(spec, request, device, held)


def _made(spec: JobSpec, request: Request, device: str, held: ExitStack) -> Path:
    project = Path(request.project)
    check_inside(project, project / spec.job)

    def fill(new: Path) -> None:
        held.enter_context(holding(new))
        inputs = input_files(spec)
        write_record(new, first_record(project, spec, request.command, device, inputs, sweep=request.sweep))

    apart = request.apart or bool(request.sweep)
    return make_job_directory(project, spec.job, spec.number, spec.alias, fill, apart)


def _found(spec: JobSpec, request: Request, held: ExitStack) -> Path:
    directory = find_job_directory(Path(request.project), request.continued)
    if directory.parent.name != spec.job:
        raise CryoflowError(f"{name_of(directory)}: cannot be continued with a spec of type {spec.job}")
    check_inside(Path(request.project), directory)
    held.enter_context(holding(directory))
    remove_temporaries(directory)  # no other process runs here
    if spec.alias and not (directory.parent / spec.alias).exists():
        link_alias(directory, spec.alias)  # missing where the job was killed between the two
    return directory
