"""Overrides in Hydra's grammar, and the spec that Hydra composes from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryoflow.spec import JobSpec, parse_spec, spec_dump

#: Name of the composed config in Hydra's store.
CONFIG = "cryoflow_job"

_NODE = "++spec."


def store(spec: JobSpec, hydra: dict[str, Any] | None = None, **rest: Any) -> None:
    """Put a spec into Hydra's store as the node ``spec``; later edits of its YAML change nothing."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(CONFIG, {**(hydra or {}), "spec": spec_dump(spec), **rest})


def compose_point(point: Sequence[str]) -> JobSpec:
    """Compose the values of one point as Hydra will, and check the result.

    Raises
    ------
    SpecError
        If the spec refuses it.
    """
    from hydra import compose, initialize
    from omegaconf import OmegaConf

    with initialize(version_base="1.3", config_path=None):
        config = compose(CONFIG, overrides=[_NODE + value for value in point])
    plain: Any = OmegaConf.to_container(config.spec)
    return parse_spec(plain, " ".join(point))


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
    return [f"{name}={value}" for value in parsed.sweep_string_iterator()]


def _parsed(override: str) -> Any:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_override(override)
