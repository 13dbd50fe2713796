"""``cryoflow convert``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cryoflow.cli.place import add_project, project_of
from cryoflow.screen import print_error, say

if TYPE_CHECKING:
    import pandas as pd

    from cryoflow.files.convert import Micrographs

_READ = """formats read, by file extension:
  .star          RELION 2 to 5 and crYOLO (coordinates, particles, autopick.star, coords_suffix_*.star), M
  .box           EMAN and crYOLO        .json  EMAN2 (info/*_info.json)
  .cbox          crYOLO                 .cs    cryoSPARC (more files of the same job: --passthrough)
  .txt .tsv .csv Topaz, VIA, or any table with columns x and y
  a folder       one file per micrograph, named like it, with or without a suffix (mic1_pick.star)
"""
_EXAMPLES = """examples:
  cryoflow convert topaz.txt Picks --to relion --micrographs CtfFind/job003/micrographs_ctf.star
  cryoflow convert P1_J7_particles.cs particles.star --passthrough P1_J7_passthrough_particles.cs
  cryoflow convert AutoPick/job010/autopick.star boxes --to box --box 256
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``convert``."""
    from cryoflow.files.formats import FORMATS

    written = "\n".join(f"  {name:<8} {style.text}" for name, style in FORMATS.items())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{_READ}\nformats written (--to):\n{written}\n\n{_EXAMPLES}"
    parser.add_argument("source", type=Path, metavar="IN", help="file or folder of picks or particles")
    parser.add_argument(
        "target", type=Path, metavar="OUT", help="file, or folder for formats with one file per micrograph"
    )
    parser.add_argument(
        "--to", choices=list(FORMATS), default=None, help="format (default: by the extension of OUT)"
    )
    text = (
        "table or folder of the own micrographs: for their names, for --flip-y, for .cs, and for the picture"
    )
    parser.add_argument("--micrographs", type=Path, default=None, metavar="STAR", help=text)
    text = "more .cs files of the same job, joined by uid"
    parser.add_argument("--passthrough", type=Path, nargs="+", default=[], metavar="CS", help=text)
    parser.add_argument(
        "--box", type=_positive, default=None, metavar="PX", help="size of the boxes to write, pixels"
    )
    parser.add_argument(
        "--scale", type=_positive, default=1.0, metavar="F", help="multiply coordinates by this"
    )
    parser.add_argument(
        "--flip-y", action="store_true", help="flip y, for programs that read images upside down"
    )
    text = "pixel size of the micrographs in A: for coordinates of M, and for --offsets apply"
    parser.add_argument("--pixel-size", type=_positive, default=None, metavar="A", help=text)
    text = "what to do with refined offsets if the format has none"
    parser.add_argument("--offsets", choices=["apply", "drop"], default=None, help=text)
    add_project(parser)
    parser.set_defaults(call=convert)


def convert(options: argparse.Namespace) -> int:
    """Convert, report the conventions, and draw the picks on one micrograph."""
    from cryoflow.files.convert import Micrographs, Wanted, kind_of, read_any
    from cryoflow.files.convert import convert as write

    project = project_of(options)
    given: Path | None = options.micrographs
    micrographs = None if given is None else Micrographs(given.absolute(), project)
    picks = read_any(options.source, project, micrographs, options.passthrough, options.pixel_size)
    kind = kind_of(options.target, options.to, picks.rows)
    wanted = Wanted(
        kind, options.box, options.scale, options.flip_y, options.pixel_size, options.offsets, project
    )
    done = write(picks, options.target, wanted, micrographs)
    for line in done.said:
        say(line)
    if done.lost:
        print_error(f"{done.lost} picks are on micrographs that are not in {given}; they are skipped")
    _say_counts(done.rows, len(done.files), options.target)
    _draw(done.rows, micrographs, options.target, wanted.box_px or picks.box_px)
    return 0


def _say_counts(rows: pd.DataFrame, files: int, target: Path) -> None:
    from cryoflow.files.formats.picks import IMAGE, NAME

    what = "particles" if IMAGE in rows.columns else "picks"
    of = f" on {rows[NAME].nunique()} micrographs" if NAME in rows.columns else ""
    say(f"{len(rows)} {what}{of}: {target}{'' if files == 1 else f' ({files} files)'}")


def _draw(rows: pd.DataFrame, micrographs: Micrographs | None, target: Path, box_px: float | None) -> None:
    """Draw the picks of the micrograph with the most picks."""
    from cryoflow.files.formats.picks import NAME, X

    if micrographs is None or X not in rows.columns or len(rows) == 0:
        say("no overlay drawn; give the micrographs (--micrographs) to check positions by eye")
        return
    from cryoflow.view.overlay import draw_overlay

    name = str(rows[NAME].value_counts(sort=True).index[0])
    own = rows[rows[NAME] == name]
    picture = target / "overlay.png" if target.is_dir() else target.with_name(f"{target.stem}_overlay.png")
    draw_overlay(own, micrographs.paths[name], box_px, picture)
    say(f"check by eye: {picture} ({len(own)} picks on {name})")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value
