"""Conversion of a RELION job to a spec: ``run.job`` of RELION 3.0, ``job.star`` of 3.1 and later."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cryoflow.errors import FileError, SpecError
from cryoflow.files.atomic import read_bytes
from cryoflow.files.star import Block, as_table, read_star
from cryoflow.spec import SPEC_CLASSES, parse_spec
from cryoflow.spec.base import JobSpec
from cryoflow.spec.field import Declaration
from cryoflow.spec.names import fold

_NUMBERS = {4: "AutoPick", 5: "Extract", 6: "Sort", 7: "Select", 8: "Class2D"}
_LABELS = {job.lower(): job for job in SPEC_CLASSES}
_RUNNING = frozenset(
    [
        "nr_mpi",
        "nr_threads",
        "do_queue",
        "queuename",
        "qsub",
        "qsub_extra1",
        "qsub_extra2",
        "qsubscript",
        "min_dedicated",
    ]
)
"""Keys of RELION's Running tab, which a spec does not have."""
_RENAMED = {"nr_iter_em": "nr_iter"}
"""Keys of RELION 4 and later with another name in 3.0."""
_OWN = {
    "do_float16": ("extract", "write_float16"),
    "minimum_pick_fom": ("picks", "minimum_autopick_fom"),
}
"""Keys of later versions, and cryoflow's own fields with the same meaning."""
_LATER_HELICAL = frozenset({"do_restrict_xoff", "helical_rise", "do_filaments"})
_OTHERWISE = {
    "do_grad": "VDAM is not part of cryoflow; the spec classifies by expectation maximisation",
    "do_fast_subsets": "cryoflow classifies all particles in every iteration",
    "do_topaz_pick": "picks of Topaz come in with cryoflow convert",
    "do_topaz": "picks of Topaz come in with cryoflow convert",
    "do_class_ranker": "'Class score min' below stands for it; the two scores are not the same",
}
"""Comments on options that are on and have no counterpart."""
_PLAIN = re.compile(r"[\w./+-]([\w ./+()-]*[\w./+()-])?")


class RelionJob(NamedTuple):
    """Content of RELION's job file.

    Attributes
    ----------
    job : str
        One of `SPEC_CLASSES`.
    continues : bool
        Whether it continued an earlier run.
    options : dict of str to str
        By key (``job.star``) or by label (``run.job``).
    path : Path
    """

    job: str
    continues: bool
    options: dict[str, str]
    path: Path


class SpecText(NamedTuple):
    """A spec as YAML, and values that it cannot have."""

    text: str
    problems: tuple[str, ...]


def relion_spec(directory: Path) -> SpecText:
    """Write the settings of a RELION job as a spec, with a comment on each that has no counterpart.

    Raises
    ------
    FileError
        When the directory has no job file of RELION, or its type is not one of cryoflow's.
    """
    found = read_relion_job(directory)
    cls = SPEC_CLASSES[found.job]
    sections, comments = _sorted_out(cls, found)
    if found.job == "Select":
        _add_selection(sections, comments, found, directory)
    if found.continues:
        comments.append("the job continued an earlier run of its own; this spec begins anew")
    tree = {
        name: {known.label: value for known, value in fields} for name, fields in sections.items() if fields
    }
    try:
        parse_spec({"job": found.job, **tree}, str(directory.name))
        problems: tuple[str, ...] = ()
    except SpecError as error:
        problems = error.problems
    return SpecText(_yaml(cls, found, sections, comments), problems)


def read_relion_job(directory: Path) -> RelionJob:
    """Read ``job.star``, or else ``run.job``, of a job directory; see `relion_spec`."""
    star, text = directory / "job.star", directory / "run.job"
    if star.exists():
        return _read_job_star(star)
    if text.exists():
        return _read_run_job(text)
    raise FileError(directory, "has neither job.star nor run.job: no job that RELION has run")


def _read_job_star(path: Path) -> RelionJob:
    blocks = read_star(path)
    head, values = blocks.get("job"), blocks.get("joboptions_values")
    if not isinstance(head, dict) or values is None or "rlnJobOptionValue" not in values:
        raise FileError(path, "has no data_job and data_joboptions_values of RELION")
    job = _job_type(path, head)
    table = as_table(values)
    pairs = zip(
        table["rlnJobOptionVariable"].astype(str), table["rlnJobOptionValue"].astype(str), strict=True
    )
    options = dict(pairs)
    if "rlnJobType" in head:  # RELION 3.1 writes spaces in this way
        options = {key: value.replace("__", " ") for key, value in options.items()}
    return RelionJob(job, str(head.get("rlnJobIsContinue", 0)) == "1", options, path)


def _job_type(path: Path, head: dict[str, str | int | float]) -> str:
    label = str(head.get("rlnJobTypeLabel", head.get("rlnJobType", "")))
    job = _NUMBERS.get(int(label)) if label.isdigit() else None
    if job is None:
        words = label.lower().removeprefix("relion.").split(".")
        job = _LABELS.get(words[0])
    if job is None:
        raise FileError(
            path, f"is a job of type {label or 'unknown'}; specs are of {', '.join(SPEC_CLASSES)}"
        )
    return job


def _read_run_job(path: Path) -> RelionJob:
    lines = read_bytes(path).decode("utf-8", "replace").splitlines()
    parts = [line.partition(" ==") for line in lines]
    pairs = {label.strip(): value.strip() for label, mark, value in parts if mark}
    job = _job_type(path, {"rlnJobType": pairs.pop("job_type", "")})
    continues = pairs.pop("is_continue", "false") == "true"
    return RelionJob(job, continues, pairs, path)


Sections = dict[str, list[tuple[Declaration, str]]]


def _sorted_out(cls: type[JobSpec], found: RelionJob) -> tuple[Sections, list[str]]:
    """Split options into fields by section, and comments on the others."""
    places = {
        (section, name): known
        for section, model in cls.sections().items()
        for name, known in model.declarations().items()
    }
    by_key = {known.key: place for place, known in places.items() if known.key}
    by_label = {fold(known.relion_label): place for place, known in places.items() if known.key}
    helical = {word for known, _ in cls.helical for word in (known.key, fold(known.relion_label))}
    sections: Sections = {section: [] for section in cls.sections()}
    comments: list[str] = []
    running, off = list[str](), list[str]()
    for name, value in _usable(_with_fom_threshold(found.options), comments).items():
        place = by_key.get(_RENAMED.get(name, name)) or by_label.get(fold(name)) or _own(cls, name)
        if place is not None and _is_fixed(cls, place, places[place], value):
            comments.append(f"{name}: {value}: {places[place].fixed}")
        elif place is not None:
            sections[place[0]].append((places[place], value))
        elif name in _RUNNING or _of_running_tab(name):
            running.append(f"{name} {value}".strip())
        elif name in helical or fold(name) in helical or name in _LATER_HELICAL:
            if value == "Yes" and name.startswith(
                ("do_pick_helical", "do_helix", "do_extract_helix", "Pick 2D")
            ):
                comments.append(f"{name}: {value}: helical processing is not part of cryoflow")
        elif value not in {"", "No"}:
            comments.append(f"{name}: {value}: {_OTHERWISE.get(name, 'no counterpart')}")
        else:
            off.append(name)
    if off:
        comments.append(f"off or empty, and without a counterpart: {', '.join(off)}")
    if running:
        comments.append(f"RELION's Running tab is not part of a spec: {', '.join(running)}")
    return sections, comments


def _with_fom_threshold(options: dict[str, str]) -> dict[str, str]:
    """Options without RELION's switch of the threshold: a bound that is given counts."""
    if "do_fom_threshold" not in options:
        return options
    dropped = {"do_fom_threshold"} | (set() if options["do_fom_threshold"] == "Yes" else {"minimum_pick_fom"})
    return {name: value for name, value in options.items() if name not in dropped}


def _usable(options: dict[str, str], comments: list[str]) -> dict[str, str]:
    """Options without a list of GPUs: a job uses one."""
    gpu = next((name for name in options if name == "gpu_ids" or fold(name) == "which gpus to use"), None)
    if gpu is None or options[gpu] == "":
        return options
    asked = next(
        (options[name] for name in options if name == "use_gpu" or "gpu acceleration" in fold(name)), "No"
    )
    if options[gpu].isdecimal() and asked == "Yes":
        return options
    comments.append(f"{gpu}: {options[gpu]}: a job takes one GPU, and only where GPU acceleration is Yes")
    return {**options, gpu: ""}


def _is_fixed(cls: type[JobSpec], place: tuple[str, str], known: Declaration, value: str) -> bool:
    """Return whether a field only takes its default, and this is another value."""
    model, name = cls.sections()[place[0]], place[1]
    return bool(known.fixed) and not model.same_value(name, value, model.model_fields[name].default)


def _own(cls: type[JobSpec], name: str) -> tuple[str, str] | None:
    place = _OWN.get(name)
    known = place is not None and place[0] in cls.sections()
    return place if known else None


def _of_running_tab(label: str) -> bool:
    words = fold(label)
    return words.startswith(
        ("number of mpi", "number of threads", "submit to queue", "queue", "standard sub", "minimum ded")
    )


def _add_selection(sections: Sections, comments: list[str], found: RelionJob, directory: Path) -> None:
    """Set the classes that were selected by mouse, or their minimum score."""
    declared = SPEC_CLASSES["Select"].sections()["selection"].declarations()
    if found.options.get("do_class_ranker") == "Yes":
        sections["selection"].append(
            (declared["class_score_min"], found.options.get("rank_threshold", "0.5"))
        )
        return
    backup = directory / "backup_selection.star"
    blocks: dict[str, Block] = read_star(backup) if backup.exists() else {}
    chosen = next((as_table(block) for block in blocks.values() if "rlnSelected" in block), None)
    model = found.options.get("fn_model") or found.options.get("Select classes from model.star:")
    if chosen is not None and model:
        sections["selection"].append((declared["classes"], _numbers(chosen)))
        comments.append("the classes are those that were selected in RELION's window (backup_selection.star)")


def _numbers(chosen: pd.DataFrame) -> str:
    kept = [number for number, flag in enumerate(chosen["rlnSelected"].tolist(), 1) if int(flag) == 1]
    return f"[{', '.join(map(str, kept))}]"


def _yaml(cls: type[JobSpec], found: RelionJob, sections: Sections, comments: list[str]) -> str:
    headings = {name: known.label for name, known in cls.declarations().items()}
    lines = [f"# From {found.path.parent.parent.name}/{found.path.parent.name}/{found.path.name}."]
    lines += [f"# {comment}" for comment in comments]
    lines += ["", f"job: {found.job}"]
    for section, fields in sections.items():
        if fields:
            lines += ["", f"{_word(headings[section])}:"]
            lines += [f"  {_word(known.label)}: {_value(value)}" for known, value in fields]
    return "\n".join(lines) + "\n"


def _word(text: str) -> str:
    return (
        json.dumps(text, ensure_ascii=False)
        if ": " in text or text.startswith(("-", "[", "{", "#"))
        else text
    )


def _value(text: str) -> str:
    if text == "":
        return "-"
    if _PLAIN.fullmatch(text) or text.startswith("["):
        return text
    return json.dumps(text, ensure_ascii=False)
