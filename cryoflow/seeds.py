"""Random seeds that depend on the name of an item, never on its place in a list."""

from __future__ import annotations

import hashlib


def seed_for(seed: int, *names: str) -> int:
    """Derive the seed of one micrograph, particle, class ... from the seed of the job.

    Parameters
    ----------
    seed : int
        The seed of the spec; any integer.
    *names : str
        Stable names, e.g. ``"class2d", "000012@Extract/job012/a.mrcs"``. Their grouping counts:
        ``("ab", "c")`` and ``("a", "bc")`` differ.

    Returns
    -------
    int
        In [0, 2**63), the same on every machine and Python version.
    """
    digest = hashlib.sha256(str(int(seed)).encode())
    for name in names:
        encoded = name.encode("utf-8", "surrogateescape")
        digest.update(f"/{len(encoded)}:".encode() + encoded)
    return int.from_bytes(digest.digest()[:8], "big") >> 1
