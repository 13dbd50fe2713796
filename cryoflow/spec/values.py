"""Read the values of fields: Yes/No, numbers, names, and the many spellings of nothing."""

from __future__ import annotations

import re
import sys
from typing import Any

from pydantic_core import PydanticCustomError

from cryoflow.spec.field import Declaration

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_EXACT = 2**53  # beyond this, floats cannot represent every integer
_NOTHING = {"", "-", "~", "null", "none"}
_FLAGS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def refusal(text: str) -> PydanticCustomError:
    """Return the error with which a validator reports a message to the user."""
    return PydanticCustomError("cryoflow", "{text}", {"text": text})


def is_nothing(value: object) -> bool:
    """Return whether a value is one of the ways to write "none"."""
    return value is None or (isinstance(value, str) and value.strip().casefold() in _NOTHING)


def shown(value: object) -> str:
    """Show a refused value in a message, shortened when it is long."""
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:56] + " ..."


def read_flag(value: object) -> bool:
    """Read Yes/No or true/false; anything else is an error, whatever its truth value in Python."""
    if isinstance(value, bool):
        return value
    flag = _FLAGS.get(value.strip().casefold()) if isinstance(value, str) else None
    if flag is None:
        raise ValueError(f"{shown(value)} is neither Yes nor No")
    return flag


def read_number(value: object) -> float | int:
    """Read a finite number, also from text."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, str) and value.strip().lstrip("+-.").casefold() in {"nan", "inf", "infinity"}:
        raise ValueError(f"{shown(value)} is not a finite number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{shown(value)} is not a number")
    if not abs(value) <= sys.float_info.max:
        raise ValueError(f"{shown(value)} is not a finite number")
    return value


def read_text(value: object) -> str:
    """Read one line of text; a number is text too."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"expected text, got {shown(value)}")
    text = str(value).strip()
    if not text.isprintable():
        raise ValueError(f"{text!r} contains unprintable characters")
    return text


def read(value: object, kind: type, optional: bool, default: Any, known: Declaration) -> Any:
    """Convert a raw value to the field's type.

    Parameters
    ----------
    value : object
        From YAML, the command line or Python.
    kind : type
        bool, int, float or str.
    optional : bool
        Whether None is a value of the field.
    default : object
        The field's default; None for a field that must be given.
    known : Declaration
        Range, choices and "off" values.

    Raises
    ------
    ValueError
        If it is not allowed; the message says why.
    """
    if is_nothing(value):
        if optional:
            return _allowed(None, default, known)
        if default == "":
            return ""
        kept = "" if default is None else f"; remove the line for the default ({default_text(default)})"
        raise ValueError(f"needs a value{kept}")
    if kind is bool:
        return _allowed(read_flag(value), default, known)
    if kind is str:
        return _allowed(_choice(read_text(value), known), default, known)
    return _allowed(_number(value, kind, optional, known), default, known)


def _number(value: object, kind: type, optional: bool, known: Declaration) -> float | int | None:
    number = read_number(value)
    if optional and known.off is not None and known.off.means(number):
        return None
    if kind is int and number != int(number):
        raise ValueError(f"{number:g} is not a whole number")
    if kind is int and abs(number) > _EXACT:
        raise ValueError(f"{number:g} is too large")
    _check_range(number, known)
    return int(number) if kind is int else float(number)


def _check_range(number: float, known: Declaration) -> None:
    too_low = (known.low is not None and number < known.low) or (
        known.above is not None and number <= known.above
    )
    too_high = known.high is not None and number > known.high
    if too_low or too_high or (known.even and number % 2):
        off = f" (or {known.off.written:g} for off)" if known.off else ""
        raise ValueError(f"{number:g} is out of range; allowed: {known.range}{off}")


def _choice(text: str, known: Declaration) -> str:
    if not known.choices:
        return text
    for choice in known.choices:
        # "30" means "30 degrees"
        if text.casefold() in {choice.casefold(), choice.split()[0].casefold()}:
            return choice
    raise ValueError(f"'{text}' is not one of: {', '.join(known.choices)}")


def _allowed(value: Any, default: Any, known: Declaration) -> Any:
    if known.fixed and value != default:
        raise ValueError(f"{default_text(value)} is not supported: {known.fixed}")
    return value


def default_text(value: object) -> str:
    """Spell a value as a user would write it: Yes/No, plain numbers, - for none."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, float):
        return f"{value:.10g}"
    return "-" if value is None or value == "" else str(value)
