"""``report.html``: settings, results, warnings and pictures of a job in one file to mail.

The page is static and holds its pictures. File names are untrusted input: all text is escaped.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from cryoflow.files.atomic import write_bytes
from cryoflow.project.directory import alias_of
from cryoflow.project.names import name_of
from cryoflow.project.record import read_record
from cryoflow.project.settings import changed_settings
from cryoflow.spec import SPEC_CLASSES
from cryoflow.view.pictures import open_picture

REPORT = "report.html"
LARGEST = 1_900_000
"""Maximum bytes of all encoded pictures of the page."""
_FAILURES, _WARNINGS, _FILES = 50, 50, 50
"""Maximum number listed."""
_PICTURES = 40
_SMALL = 120_000
"""PNG files of at most this many bytes are embedded unchanged: charts, whose text JPEG would blur."""
_WIDEST, _QUALITY = 1680, 80
"""Width that wider pictures are scaled to, pixels, and JPEG quality."""

_DOES = {
    "AutoPick": "Picks particles on micrographs",
    "Extract": "Extracts particles from micrographs",
    "Sort": "Scores particles against references",
    "Select": "Selects particles or classes",
    "Class2D": "Classifies particles in 2D",
}
_STYLE = """
body { font: 15px/1.45 sans-serif; color: #222; max-width: 70em; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em; margin-bottom: 0.2em } h2 { font-size: 1.1em; margin: 1.8em 0 0.4em }
table { border-collapse: collapse } td, th { padding: 0.15em 1em 0.15em 0; text-align: left;
vertical-align: top; overflow-wrap: anywhere } th { font-weight: normal; color: #666 }
figure { margin: 1em 0 } figcaption { color: #666 } img { max-width: 100% } code { overflow-wrap: anywhere }
.state { padding: 0.1em 0.6em; border-radius: 0.3em; color: white; background: #666 }
.succeeded { background: #2e7d32 } .partial { background: #b26a00 } .failed { background: #b3261e }
"""


def write_report(directory: Path) -> Path:
    """Write the page of a job from its record, log and pictures, and return its path.

    Raises
    ------
    CryoflowError
        If there is no record.
    """
    record = read_record(directory)
    path = directory / REPORT
    write_bytes(path, _page(directory, record).encode("utf-8", "backslashreplace"))
    return path


def _page(directory: Path, record: Mapping[str, Any]) -> str:
    name, alias = name_of(directory), alias_of(directory)
    title = f"{name} ({alias})" if alias else name
    sections = [
        _table("Result", _result(record)),
        _listed("Warnings", _warnings(directory), _WARNINGS),
        _listed("Failures", [f"{one['item']}: {one['message']}" for one in record["failures"]], _FAILURES),
        _table("Settings that differ from the defaults", changed_settings(record["spec"])),
        _pictures(directory),
        _table("Time", [(what, f"{seconds:.1f} s") for what, seconds in _seconds(record).items()]),
        _table("Run", _run(record)),
        _listed("Inputs", [entry["path"] for entry in record["inputs"]], _FILES),
        _listed("Outputs", [entry["path"] for entry in record["outputs"]], _FILES),
    ]
    status = str(record.get("status"))
    state = f'<span class="state {escape(status)}">{escape(status)}</span>'
    head = f"<h1>{escape(title)} {state}</h1>\n<p>{escape(_about(record['spec']['job']))}</p>"
    body = "\n".join(section for section in sections if section)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style></head>\n<body>\n{head}\n{body}\n</body></html>\n"
    )


def _result(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [(_words(name), f"{value:g}") for name, value in record["counts"].items()]
    return [*rows, ("error", str(record["error"]))] if record["error"] else rows


def _words(name: str) -> str:
    """Return the name of a count as words, with its unit."""
    words = name.removesuffix("_a").replace("_", " ")
    return f"{words} (A)" if name.endswith("_a") else words


def _about(job: str) -> str:
    """Return what jobs of this type do, in a line."""
    return f"{_DOES.get(job, job)}. {(SPEC_CLASSES[job].__doc__ or '').partition(chr(10))[0]}"


def _run(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("command", str(record["command"])),
        ("started", str(record["timings"]["started"])),
        ("ran on", f"{record['device']}, {record['threads'] or '-'} threads, seed {record['seed']}"),
        *((name, str(version)) for name, version in record["versions"].items()),
    ]


def _seconds(record: Mapping[str, Any]) -> Mapping[str, float]:
    seconds: Mapping[str, float] = record["timings"].get("seconds", {})
    return seconds


def _warnings(directory: Path) -> list[str]:
    """Return the distinct warnings in the log."""
    try:
        lines = (directory / "run.out").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    start = "warning: "
    return list(dict.fromkeys(line.removeprefix(start) for line in lines if line.startswith(start)))


def _table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    cells = "\n".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows)
    return f"<h2>{escape(title)}</h2>\n<table>\n{cells}\n</table>" if cells else ""


def _listed(title: str, lines: Sequence[str], most: int) -> str:
    if not lines:
        return ""
    items = "\n".join(f"<li>{escape(line)}</li>" for line in lines[:most])
    more = f"\n<p>and {len(lines) - most} more</p>" if len(lines) > most else ""
    return f"<h2>{escape(title)} ({len(lines)})</h2>\n<ul>\n{items}\n</ul>{more}"


def _pictures(directory: Path) -> str:
    """Inline the job's pictures while they fit; the others are named."""
    paths = [path for path in sorted(directory.rglob("*.png")) if not path.is_symlink()]
    figures, left = [], LARGEST
    for path in paths[:_PICTURES]:
        name = path.relative_to(directory).as_posix()
        data = _encoded(path)
        if data is None or len(data) > left:
            figures.append(f"<p>{escape(name)}: in the job directory</p>")
            continue
        left -= len(data)
        image = f'<img src="{data}" alt="{escape(name)}">'
        figures.append(f"<figure>{image}<figcaption>{escape(name)}</figcaption></figure>")
    if len(paths) > _PICTURES:
        figures.append(f"<p>and {len(paths) - _PICTURES} more in the job directory</p>")
    return "\n".join(["<h2>Pictures</h2>", *figures]) if figures else ""


def _encoded(path: Path) -> str | None:
    """Return a picture as data of the page, JPEG where it is large; None where it cannot be read."""
    try:
        picture = open_picture(path)
        if path.stat().st_size <= _SMALL and picture.width <= _WIDEST:
            return _as_url("png", path.read_bytes())
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    if picture.width > _WIDEST:
        size = (_WIDEST, round(picture.height * _WIDEST / picture.width))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, format="jpeg", quality=_QUALITY)
    return _as_url("jpeg", stream.getvalue())


def _as_url(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
