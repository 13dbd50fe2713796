"""Numbers, times and counts as words."""

from __future__ import annotations

from collections.abc import Sized


def seconds_text(seconds: float | None) -> str:
    """Return e.g. ``4.2 s``, ``3 min 20 s``, ``2 h 05 min``; ``-`` for None."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def number_of(things: Sized, noun: str) -> str:
    """Return e.g. ``1 input``, ``8 inputs``."""
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def counts_text(counts: dict[str, int | float], most: int = 3) -> str:
    """Return at most this many main counts, e.g. ``539 particles, 8 micrographs``."""
    shown = [name for name in ("particles", "classes", "micrographs") if name in counts] or list(counts)[:1]
    return ", ".join(f"{counts[name]:g} {name.replace('_', ' ')}" for name in shown[:most])
