"""Make the pipeline file of a project that RELION has not made, with the jobs that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from cryoflow.errors import CryoflowError, FileError
from cryoflow.jobs.registry import JOB_TYPES
from cryoflow.launch.inputs import input_files
from cryoflow.project.jobs import Job, list_jobs
from cryoflow.project.names import job_directories, job_number, name_of
from cryoflow.project.pipeline import PIPELINE, JobEntry, register_job
from cryoflow.project.pipeline_nodes import Node, guess_node
from cryoflow.project.pipeline_text import Loop, WordFile, read_words, write_words
from cryoflow.spec import parse_spec

RelionVersion = Literal["3.0", "5"]
PROJECT_MARK = ".gui_projectdir"
"""By this file RELION's window knows a project's directory, and does not ask whether to make one."""

_VERSIONS: dict[RelionVersion, str] = {"3.0": "", "5": "# version 50001"}
_STATES = {"succeeded": "Succeeded", "partial": "Succeeded", "outdated": "Succeeded", "running": "Running"}
"""RELION's words; a job in any other state has failed."""
_PROCESS, _NODE = "rlnPipeLineProcess", "rlnPipeLineNode"


class Adopted(NamedTuple):
    """Names of the jobs that are in the new file, and of those of which too little is known."""

    jobs: tuple[str, ...]
    unknown: tuple[str, ...]


def make_pipeline(project: Path, version: RelionVersion) -> Adopted:
    """Write ``default_pipeline.star`` with all jobs that have a record, their files, edges and states.

    Parameters
    ----------
    project : Path
        Made if it does not exist.
    version : {"3.0", "5"}
        Types and states as the numbers of RELION 3.0, or as the labels of RELION 4 and 5.

    Raises
    ------
    FileError
        If the project has a pipeline file already, or the directory cannot be written.
    """
    path = project / PIPELINE
    if path.exists():
        raise FileError(path, "exists already: jobs are added to it as they run")
    jobs = list_jobs(project) if project.is_dir() else []
    known = [job for job in jobs if job.record and job.record.get("spec", {}).get("job") in JOB_TYPES]
    _write_empty(project, path, version)
    for job in known:
        register_job(project, _entry(project, job))
    names = {job.name for job in known}
    return Adopted(tuple(job.name for job in known), tuple(job.name for job in jobs if job.name not in names))


def _write_empty(project: Path, path: Path, version: RelionVersion) -> None:
    """Write the tables without rows, and the number of the next job."""
    try:
        project.mkdir(parents=True, exist_ok=True)
        (project / PROJECT_MARK).touch()
    except OSError as error:
        raise FileError(project, f"cannot be written: {error.strerror}") from None
    used = [job_number(name_of(folder)) for folder in job_directories(project)]
    labels = version == "5"
    kinds = ["TypeLabel", "StatusLabel"] if labels else ["Type", "Status"]
    node_kinds = ["TypeLabel", "TypeLabelDepth"] if labels else ["Type"]
    edge = "rlnPipeLineEdge"
    blocks: dict[str, dict[str, str] | Loop] = {
        "pipeline_general": {"rlnPipeLineJobCounter": str(max(used, default=0) + 1)},
        "pipeline_processes": Loop([_PROCESS + name for name in ["Name", "Alias", *kinds]]),
        "pipeline_nodes": Loop([_NODE + name for name in ["Name", *node_kinds]]),
        "pipeline_input_edges": Loop([f"{edge}FromNode", f"{edge}Process"]),
        "pipeline_output_edges": Loop([f"{edge}Process", f"{edge}ToNode"]),
    }
    write_words(path, WordFile(_VERSIONS[version], blocks))


def _entry(project: Path, job: Job) -> JobEntry:
    spec = parse_spec(job.record["spec"], job.name)
    inputs = tuple(guess_node(name) for name in input_files(spec))
    state = _STATES.get(job.state, "Failed")
    outputs = _output_nodes(project / job.name) if state == "Succeeded" else ()
    return JobEntry(JOB_TYPES[spec.job].process, job.name, job.alias, state, inputs, outputs)


def _output_nodes(directory: Path) -> tuple[Node, ...]:
    """Nodes that the job has left for RELION."""
    path = directory / "RELION_OUTPUT_NODES.star"
    try:
        table = read_words(path).blocks.get("output_nodes")
    except (OSError, CryoflowError):
        return ()
    if not isinstance(table, Loop):
        return ()
    places = [table.columns.index(f"{_NODE}{name}") for name in ("Name", "TypeLabel")]
    return tuple(Node(row[places[0]], row[places[1]]) for row in table.rows)
