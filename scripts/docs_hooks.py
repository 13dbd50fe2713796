"""What mkdocs asks while it builds the pages: parts that are generated from the code, so that none drifts.

A page names such a part as ``<!-- generated: fields -->``.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable
from html import escape, unescape
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

WIDTH, ROW, GAP = 860, 46, 10
"""Width of the picture of the layers, height of a row, and gap between rows, pixels."""

_FORMULA = re.compile(r'<(div|span) class="arithmatex">\\[\[(](.*?)\\[\])]</\1>', re.DOTALL)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the generated parts in their places."""
    return re.sub(r"<!-- generated: (\w+) -->", lambda found: PARTS[found[1]](), markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Turn formulas into MathML, which browsers draw without a script."""
    from latex2mathml.converter import convert

    def drawn(found: re.Match[str]) -> str:
        block = found[1] == "div"
        return convert(unescape(found[2]), display="block" if block else "inline")

    return _FORMULA.sub(drawn, html)


def fields() -> str:
    """Return a heading a job type, and a table a tab."""
    from cryoflow.spec import SPEC_CLASSES
    from cryoflow.spec.describe import field_rows

    lines = []
    for job in SPEC_CLASSES:
        lines.append(f"## {job}\n")
        for tab, rows in groupby(field_rows(job), key=lambda row: row.tab):
            lines += [
                f"### {job}: {tab}\n",
                "| Label | Name | Default | Range | Unit | What it is |",
                "|-" * 6 + "|",
            ]
            for row in rows:
                cells = (row.label, f"`{row.name}`", row.default, row.range, row.unit, row.help)
                lines.append("| " + " | ".join(map(_cell, cells)) + " |")
            lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return (
        text.replace("|", "\\|").replace("\n", " ")
        if text.startswith("`")
        else escape(text).replace("|", "\\|")
    )


def reference() -> str:
    """Return every public name, for mkdocstrings."""
    import cryoflow

    return "\n\n".join(f"::: cryoflow.{name}" for name in cryoflow.__all__ if not name.startswith("_"))


def layer_picture() -> str:
    """Return the import contract as a picture: a package imports only from the layers below its own."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    layers = tomllib.loads(text)["tool"]["importlinter"]["contracts"][0]["layers"]
    height = len(layers) * (ROW + GAP)
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" xmlns="http://www.w3.org/2000/svg">']
    parts += [f"<title>{escape(' / '.join(layers))}</title>"]
    for place, layer in enumerate(layers):
        names = [name.strip().removeprefix("cryoflow.") for name in layer.split("|")]
        width = (WIDTH - GAP * (len(names) - 1)) / len(names)
        for number, name in enumerate(names):
            parts.append(_box(name, number * (width + GAP), place * (ROW + GAP), width))
    return "".join([*parts, "</svg>"])


def _box(name: str, x: float, y: float, width: float) -> str:
    place = f'x="{x:.0f}" y="{y}" width="{width:.0f}" height="{ROW}"'
    shape = f'<rect {place} rx="6" fill="#e8eef7" stroke="#3b75af"/>'
    middle = f'x="{x + width / 2:.0f}" y="{y + ROW / 2 + 6:.0f}" text-anchor="middle"'
    return (
        f'{shape}<text {middle} font-size="17" font-family="monospace" fill="#1c2733">{escape(name)}</text>'
    )


PARTS: dict[str, Callable[[], str]] = {"fields": fields, "reference": reference, "layers": layer_picture}
