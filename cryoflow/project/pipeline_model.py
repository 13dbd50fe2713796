"""What a pipeline file must contain before it is used or changed: its tables, their columns, its counter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cryoflow.errors import FileError
from cryoflow.project.pipeline_text import Loop, WordFile, read_words

#: Each table's columns; where there are two names, RELION 3's and that of RELION 4 and later.
_COLUMNS: dict[str, tuple[tuple[str, ...], ...]] = {
    "pipeline_processes": (
        ("rlnPipeLineProcessName",),
        ("rlnPipeLineProcessAlias",),
        ("rlnPipeLineProcessType", "rlnPipeLineProcessTypeLabel"),
        ("rlnPipeLineProcessStatus", "rlnPipeLineProcessStatusLabel"),
    ),
    "pipeline_nodes": (("rlnPipeLineNodeName",), ("rlnPipeLineNodeType", "rlnPipeLineNodeTypeLabel")),
    "pipeline_input_edges": (("rlnPipeLineEdgeFromNode",), ("rlnPipeLineEdgeProcess",)),
    "pipeline_output_edges": (("rlnPipeLineEdgeProcess",), ("rlnPipeLineEdgeToNode",)),
}

_MOST_JOBS = 10**9


def read_pipeline(path: Path) -> WordFile:
    """Read a pipeline file and check all that this package relies on.

    Raises
    ------
    FileError
        If it cannot be read, or lacks a table's column; it is to be left as it is.
    """
    words = read_words(path)
    general = words.blocks.get("pipeline_general")
    if not isinstance(general, dict):
        raise FileError(path, "no pipeline_general block; left as it is")
    counter = general.get("rlnPipeLineJobCounter", "1")
    if not counter.isdecimal() or not counter.isascii() or int(counter[:12]) > _MOST_JOBS:
        raise FileError(path, f"rlnPipeLineJobCounter is {counter!r}, not a number of jobs; left as it is")
    for name, columns in _COLUMNS.items():
        _check_columns(path, name, words.blocks.get(name), columns)
    processes = words.blocks.get("pipeline_processes")
    if isinstance(processes, Loop):
        styles = {column.endswith("Label") for column in processes.columns if column.startswith(_KINDS)}
        if len(styles) != 1:
            raise FileError(path, "pipeline_processes has types both as numbers and as labels; left as it is")
    return words


_KINDS = ("rlnPipeLineProcessType", "rlnPipeLineProcessStatus")


def input_edges(pipeline: WordFile) -> Iterator[tuple[str, str]]:
    """Yield file and job, ``Type/jobNNN``, for every file that a job takes."""
    edges = pipeline.blocks.get("pipeline_input_edges")
    if isinstance(edges, Loop):
        source, target = (edges.columns.index(f"rlnPipeLineEdge{what}") for what in ("FromNode", "Process"))
        for row in edges.rows:
            yield row[source], row[target].rstrip("/")


def process_states(pipeline: WordFile) -> Iterator[tuple[str, str]]:
    """Yield job, ``Type/jobNNN``, and state, a number or a word as the file has it."""
    processes = pipeline.blocks.get("pipeline_processes")
    if isinstance(processes, Loop):
        name = processes.columns.index("rlnPipeLineProcessName")
        state = next(at for at, column in enumerate(processes.columns) if column.startswith(_KINDS[1]))
        for row in processes.rows:
            yield row[name].rstrip("/"), row[state]


def _check_columns(path: Path, name: str, block: object, wanted: tuple[tuple[str, ...], ...]) -> None:
    if block is None or block == {}:
        return
    if not isinstance(block, Loop):
        raise FileError(path, f"{name} is no table; left as it is")
    for names in wanted:
        if not any(column in block.columns for column in names):
            raise FileError(path, f"{name} lacks the column {names[0]}; left as it is")
    if len(set(block.columns)) < len(block.columns):
        raise FileError(path, f"{name} has a column twice; left as it is")
