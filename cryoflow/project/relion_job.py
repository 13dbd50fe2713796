"""Files that RELION's GUI reads from a job directory: parameters and output nodes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cryoflow.files.atomic import replacing
from cryoflow.project.pipeline_nodes import Node
from cryoflow.project.pipeline_text import Loop, WordFile, write_words


def write_run_job(
    directory: Path, process_number: int, options: Iterable[tuple[str, str]], continuing: bool
) -> None:
    """Write ``run.job``, the text form of RELION 3.0, which later versions read as well.

    Parameters
    ----------
    directory : Path
        Job directory.
    process_number : int
        RELION 3's number of the job type.
    options : iterable of (str, str)
        RELION's label and value of every option.
    continuing : bool
        Whether the job continues an earlier run.
    """
    head = f"job_type == {process_number}\nis_continue == {'true' if continuing else 'false'}\n"
    body = "".join(f"{label} == {value}\n" for label, value in options)
    with replacing(directory / "run.job") as temporary:
        temporary.write_text(head + body, encoding="utf-8")


def write_output_nodes(directory: Path, nodes: Iterable[Node]) -> None:
    """Write ``RELION_OUTPUT_NODES.star``, which RELION reads for the outputs of an external job."""
    table = Loop(
        ["rlnPipeLineNodeName", "rlnPipeLineNodeTypeLabel"], [[node.name, node.label] for node in nodes]
    )
    write_words(directory / "RELION_OUTPUT_NODES.star", WordFile(blocks={"output_nodes": table}))
