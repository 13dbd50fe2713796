"""Match a name that the user typed to a field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache

_BRACKET = re.compile(r"\s*\([^()]*\)(?=[\s:?]*$)")


@cache
def fold(name: str) -> str:
    """Reduce a label or field name to its words, without case, punctuation and a leading OR.

    A unit in brackets stays: ``Mask diameter (pix)`` must not pass for ``Mask diameter (A)``.
    """
    words = re.findall(r"[^\W_]+", name.casefold().replace("å", "a").replace("ångström", "a"))
    while len(words) > 1 and words[0] == "or":
        del words[0]
    return " ".join(words)


@cache
def spellings(*labels: str) -> frozenset[str]:
    """Return the accepted folded forms of labels: each with and without its brackets."""
    return frozenset(fold(form) for label in labels for form in (label, _BRACKET.sub("", label)))


def resolve(typed: str, known: Mapping[str, Iterable[str]]) -> str | None:
    """Find the intended name.

    Parameters
    ----------
    typed : str
        What the user wrote.
    known : mapping of str to iterable of str
        Name to its folded spellings.
    """
    wanted = fold(typed)
    return next((name for name, forms in known.items() if name == typed or wanted in forms), None)


def suggestion(typed: str, candidates: Iterable[str]) -> str:
    """Return a hint, ``; did you mean 'Picking threshold'?``, or an empty string if no name is similar."""
    by_fold = {fold(candidate): candidate for candidate in candidates}
    close = get_close_matches(fold(typed), by_fold, n=1, cutoff=0.6)
    return f"; did you mean '{by_fold[close[0]]}'?" if close else ""
