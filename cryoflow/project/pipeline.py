"""Register jobs in RELION's ``default_pipeline.star``, in the version of that file.

Sources: the pipeline tables of RELION 3.0 (types and states as numbers) and of 4.0 and later (as labels), and
the lock directory that RELION's own programs use.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from cryoflow.errors import CryoflowError, FileError
from cryoflow.plain_files import read_plain_text
from cryoflow.project.lock import own_name, owner_is_alive
from cryoflow.project.names import job_number
from cryoflow.project.pipeline_model import read_pipeline
from cryoflow.project.pipeline_nodes import Node, ProcessType, known_as, number_of
from cryoflow.project.pipeline_text import Loop, WordFile, write_words

PIPELINE = "default_pipeline.star"
_LOCK = ".relion_lock"
#: Begins what cryoflow writes into its lock; host and process id end it.
_OURS = "cryoflow:"
_CHANGED = ".pipeline_has_changed"
_STATES = {"Running": "0", "Succeeded": "2", "Failed": "3"}


class JobEntry(NamedTuple):
    """Entry of a job in the pipeline.

    Attributes
    ----------
    process : ProcessType
        RELION's number and label of the job type.
    name : str
        ``AutoPick/job010``.
    alias : str or None
        Alias without the type, e.g. ``optimise_params``.
    state : str
        ``Running``, ``Succeeded`` or ``Failed``.
    inputs, outputs : tuple of Node
        Files that it uses and makes.
    """

    process: ProcessType
    name: str
    alias: str | None
    state: str
    inputs: tuple[Node, ...] = ()
    outputs: tuple[Node, ...] = ()


def job_counter(project: Path) -> int:
    """Return the number that RELION would give to the next job; 0 where there is no pipeline file."""
    with suppress(FileError, OSError, ValueError):
        general = read_pipeline(project / PIPELINE).blocks["pipeline_general"]
        assert isinstance(general, dict)
        return int(general.get("rlnPipeLineJobCounter", "0"))
    return 0


def register_job(project: Path, entry: JobEntry, wait: float = 30.0, copy: bool = True) -> None:
    """Add or update a job in the project's pipeline and write its own ``job_pipeline.star``.

    With ``copy`` its directory gets a copy of the whole pipeline, as RELION has it; a sweep's hundreds of
    points would fill the disk with them.

    A project without ``default_pipeline.star`` was not made by RELION; it gets none.

    Raises
    ------
    CryoflowError
        If the file cannot be parsed or stays locked; it is then unchanged.
    """
    path = project / PIPELINE
    if not path.exists():
        return
    with _locked(project, entry.name, wait):
        pipeline = read_pipeline(path)
        _add(pipeline, entry)
        write_words(path, pipeline)
        (project / _CHANGED).touch()
    own = _empty_like(pipeline)
    _add(own, entry)
    write_words(project / entry.name / "job_pipeline.star", own)
    if copy:
        write_words(project / entry.name / PIPELINE, pipeline)


@contextmanager
def _locked(project: Path, why: str, wait: float) -> Iterator[None]:
    lock = project / _LOCK
    end = time.monotonic() + wait
    while True:
        try:
            lock.mkdir()
            break
        except FileExistsError:
            if _is_stale(lock):
                _break(lock)
                continue
            if time.monotonic() > end:
                raise CryoflowError(
                    f"{lock}: locked for {wait:.0f} s, so {why} is not in {PIPELINE}; "
                    "if RELION is not running here, remove that directory"
                ) from None
            time.sleep(0.05)
    try:
        (lock / f"lock_{PIPELINE}").write_text(f"{_OURS} {why} {own_name()}\n", encoding="utf-8")
        yield
    finally:
        (lock / f"lock_{PIPELINE}").unlink(missing_ok=True)
        lock.rmdir()


def _is_stale(lock: Path) -> bool:
    """Return whether a lock is cryoflow's and its process, of this host, has ended; RELION's never is."""
    owner = lock / f"lock_{PIPELINE}"
    with suppress(OSError, CryoflowError, UnicodeDecodeError):
        return read_plain_text(owner, 1000).startswith(_OURS) and not owner_is_alive(owner)
    return False


def _break(lock: Path) -> None:
    """Remove a stale lock; renamed first, so that of several processes only one removes it."""
    with suppress(OSError):
        shutil.rmtree(lock.rename(lock.with_name(f"{_LOCK}.{secrets.token_hex(4)}")))


def _empty_like(pipeline: WordFile) -> WordFile:
    blocks = {
        name: Loop(list(block.columns)) if isinstance(block, Loop) else {"rlnPipeLineJobCounter": "1"}
        for name, block in pipeline.blocks.items()
    }
    return WordFile(pipeline.version, blocks)


def _add(pipeline: WordFile, entry: JobEntry) -> None:
    labels = _speaks_labels(pipeline)
    _count(pipeline, job_number(entry.name))
    process = entry.name + "/"
    _add_process(
        _loop(pipeline, "pipeline_processes", _process_columns(labels)), entry, labels, pipeline.version
    )
    for given in entry.inputs:
        node = known_as(given, labels)
        _add_node(pipeline, node, labels)
        _loop(pipeline, "pipeline_input_edges", ["rlnPipeLineEdgeFromNode", "rlnPipeLineEdgeProcess"]).add(
            rlnPipeLineEdgeFromNode=node.name, rlnPipeLineEdgeProcess=process
        )
    for given in entry.outputs:
        node = known_as(given, labels)
        _add_node(pipeline, node, labels)
        _loop(pipeline, "pipeline_output_edges", ["rlnPipeLineEdgeProcess", "rlnPipeLineEdgeToNode"]).add(
            rlnPipeLineEdgeProcess=process, rlnPipeLineEdgeToNode=node.name
        )


def _speaks_labels(pipeline: WordFile) -> bool:
    """Return whether types are labels (RELION 4 and later) rather than numbers."""
    processes = pipeline.blocks.get("pipeline_processes")
    if not isinstance(processes, Loop):
        return "5000" in pipeline.version
    return "rlnPipeLineProcessTypeLabel" in processes.columns


def _process_columns(labels: bool) -> list[str]:
    kind = ["TypeLabel", "StatusLabel"] if labels else ["Type", "Status"]
    return [f"rlnPipeLineProcess{name}" for name in ["Name", "Alias", *kind]]


def _count(pipeline: WordFile, number: int) -> None:
    general = pipeline.blocks["pipeline_general"]
    assert isinstance(general, dict)
    counter = int(general.get("rlnPipeLineJobCounter", "1"))
    general["rlnPipeLineJobCounter"] = str(max(counter, number + 1))


def _loop(pipeline: WordFile, name: str, columns: list[str]) -> Loop:
    block = pipeline.blocks.get(name)
    if not isinstance(block, Loop):
        block = pipeline.blocks[name] = Loop(columns)
    return block


def _add_process(processes: Loop, entry: JobEntry, labels: bool, version: str) -> None:
    # RELION 3.0 has no state for failed jobs: they remain listed as running.
    state = "Running" if entry.state == "Failed" and not version and not labels else entry.state
    words = {
        "rlnPipeLineProcessName": entry.name + "/",
        "rlnPipeLineProcessAlias": f"{entry.name.partition('/')[0]}/{entry.alias}/"
        if entry.alias
        else "None",
    }
    if labels:
        words |= {"rlnPipeLineProcessTypeLabel": entry.process.label, "rlnPipeLineProcessStatusLabel": state}
    else:
        words |= {
            "rlnPipeLineProcessType": str(entry.process.number),
            "rlnPipeLineProcessStatus": _STATES[state],
        }
    row = processes.find(rlnPipeLineProcessName=entry.name + "/")
    if row is None:
        processes.add(**words)
    else:
        processes.put(row, **words)


def _add_node(pipeline: WordFile, node: Node, labels: bool) -> None:
    kind = "rlnPipeLineNodeTypeLabel" if labels else "rlnPipeLineNodeType"
    nodes = _loop(pipeline, "pipeline_nodes", ["rlnPipeLineNodeName", kind])
    if nodes.find(rlnPipeLineNodeName=node.name) is None:
        word = node.label if labels else str(number_of(node.label))
        nodes.add(**{"rlnPipeLineNodeName": node.name, kind: word})
