"""Overrides in Hydra's grammar, and what Hydra composes from them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from cryoflow.errors import ErrorCollector, SpecError
from cryoflow.spec import JobSpec, spec_dump
from cryoflow.spec.overrides import Override, means

#: Name of the config that a launcher's worker composes, in Hydra's store.
CONFIG = "cryoflow_job"

#: Values of one field in a sweep.
MOST = 100_000

_OVERRIDES = "cryoflow_overrides"
_NODE = "++spec."


def store(spec: JobSpec, overridden: Iterable[str], hydra: dict[str, Any], **rest: Any) -> None:
    """Put a spec into Hydra's store as the node ``spec``; later edits of its YAML change nothing.

    Fields that are overridden stay out of it: a mapping would otherwise be merged with its override, where a
    spec file's is replaced.
    """
    from hydra.core.config_store import ConfigStore

    plain = spec_dump(spec)
    for name in overridden:
        _remove(plain, name.split("."))
    ConfigStore.instance().store(CONFIG, {**hydra, "spec": plain, **rest})


def compose_point(cls: type[JobSpec], point: Sequence[str]) -> list[Override]:
    """Compose the values of one point by Hydra, each with the name of its field.

    Raises
    ------
    SpecError
        If a spec file would take a text for another value than Hydra does, such as ``alias=1e3``.
    """
    if not point:
        return []
    from hydra import compose, initialize
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    ConfigStore.instance().store(_OVERRIDES, {"spec": {}})
    with initialize(version_base="1.3", config_path=None):
        config = compose(_OVERRIDES, overrides=[_NODE + value for value in point])
    plain: Any = OmegaConf.to_container(config.spec)
    last = {value.partition("=")[0]: value for value in point}
    composed = {name: _value(plain, name.split(".")) for name in last}
    _check_readings(cls, [(unquoted(last[name]), value) for name, value in composed.items()])
    return list(composed.items())


def _check_readings(cls: type[JobSpec], readings: Iterable[tuple[str, Any]]) -> None:
    problems = ErrorCollector()
    for text, value in readings:
        if not means(cls, text, value):
            name, _, written = text.partition("=")
            problems.add(
                [
                    f"override '{text}': Hydra reads {value!r}, a spec file '{written}'; "
                    f"quote it ({name}=\"'{written}'\") or put it into the spec file"
                ]
            )
    problems.raise_if_any()


def hydra_override(override: str) -> str:
    """Return ``++spec.name=value``; a value outside Hydra's grammar (brackets in a path) is quoted."""
    from hydra.errors import HydraException

    text = _NODE + override
    try:
        values(text)
    except HydraException:
        name, _, value = override.partition("=")
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"{_NODE}{name}='{quoted}'"
    return text


def plain_override(override: str) -> str:
    """Return ``name=value`` of an override that Hydra has used."""
    return override.removeprefix(_NODE)


def unquoted(override: str) -> str:
    """Remove the quotes that Hydra removes."""
    name, _, value = override.partition("=")
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return f"{name}={value[1:-1]}" if quoted else override


def is_interval(override: str) -> bool:
    """Return whether an override leaves the values in an interval to a search."""
    return bool(_parsed(override).is_interval_sweep())


def values(override: str) -> list[str]:
    """Return ``name=value`` for every value of an override in Hydra's grammar; the ends of an interval."""
    parsed = _parsed(override)
    name = plain_override(parsed.get_key_element())
    if not parsed.is_sweep_override():
        return [f"{name}={override.partition('=')[2]}"]
    if parsed.is_interval_sweep():
        interval: Any = parsed.value()
        return [f"{name}={end}" for end in (interval.start, interval.end)]
    _check_count(parsed, override)
    return [f"{name}={value}" for value in parsed.sweep_string_iterator()]


def _check_count(parsed: Any, override: str) -> None:
    """Refuse a range of more values than any sweep has, before Hydra lists them."""
    found: Any = parsed.value()
    start, stop, step = (getattr(found, name, None) for name in ("start", "stop", "step"))
    if start is None or stop is None or step is None:
        return
    if not step or not all(map(math.isfinite, (start, stop, step))) or abs((stop - start) / step) > MOST:
        raise SpecError([f"override '{plain_override(override)}': not a range of at most {MOST} values"])


def _parsed(override: str) -> Any:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_override(override)


def _value(tree: Any, path: Sequence[str]) -> Any:
    for name in path:
        tree = tree[name]
    return tree


def _remove(tree: Any, path: Sequence[str]) -> None:
    *above, name = path
    for heading in above:
        tree = tree.get(heading) if isinstance(tree, dict) else None
    if isinstance(tree, dict):
        tree.pop(name, None)
