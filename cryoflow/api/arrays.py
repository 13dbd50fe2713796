"""Arrays in and out of the public functions: numpy or torch, any real number type."""

from __future__ import annotations

import warnings
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cryoflow.errors import ArgumentError
from cryoflow.project.context import Reporter

Array: TypeAlias = npt.NDArray[Any] | Tensor
"""A numpy array or a torch tensor of integers or floating-point numbers."""

_Result = TypeVar("_Result")


class WarningReporter(Reporter):
    """Issues what a job would warn of as Python warnings."""

    def warn(self, line: str) -> None:
        """Issue a `UserWarning`."""
        warnings.warn(line, stacklevel=4)


def as_tensor(
    values: object, what: str, shape: str, finite: bool = True, dtype: torch.dtype | None = None
) -> Tensor:
    """Convert an argument to a tensor.

    Parameters
    ----------
    values : array_like
        A tensor stays on its device; anything else is read by `numpy.asarray`, in any byte order and memory
        layout. An open `mrcfile` object gives its data.
    what : str
        Its name in messages.
    shape : str
        Its axes, separated by spaces, e.g. ``"h w"``.
    finite : bool
        Whether NaN and infinity are refused.
    dtype : torch.dtype, optional
        Number type; by default double precision is kept, and all other types become single precision.

    Raises
    ------
    ArgumentError
        If these are not real numbers, have other axes, or are not finite.
    """
    array = check_array(values, what, shape)
    given = array if isinstance(array, Tensor) else _from_numpy(array)
    tensor = given.detach().to(dtype or (torch.float64 if given.dtype == torch.float64 else torch.float32))
    if finite and not bool(tensor.isfinite().all()):
        count = int((~tensor.isfinite()).sum())
        raise ArgumentError(f"{what}: {count} of {tensor.numel()} values are NaN or infinite")
    return tensor


def check_array(values: Any, what: str, shape: str) -> Array:
    """Return values as they are, a tensor or a numpy array of real numbers with these axes.

    Raises
    ------
    ArgumentError
        If they are something else.
    """
    array: Array = values
    if not isinstance(values, Tensor):
        array = np.asarray(values.data if hasattr(values, "voxel_size") else values)  # of mrcfile
    if array.is_complex() if isinstance(array, Tensor) else array.dtype.kind == "c":
        raise ArgumentError(f"{what}: complex numbers ({array.dtype}); give real ones")
    if not isinstance(array, Tensor) and array.dtype.kind not in "biuf":
        raise ArgumentError(f"{what}: {array.dtype} is not a number type; give an array of numbers")
    axes = shape.split()
    if array.ndim != len(axes):
        raise ArgumentError(f"{what}: shape {tuple(array.shape)}; expected ({', '.join(axes)})")
    return array


def _from_numpy(array: npt.NDArray[Any]) -> Tensor:
    wanted = np.float64 if array.dtype.kind == "f" and array.dtype.itemsize >= 8 else np.float32
    native = np.ascontiguousarray(array, dtype=wanted).reshape(array.shape)
    return torch.from_numpy(native if native.flags.writeable else native.copy())


def like(result: Tensor, given: object) -> Array:
    """Return a result as the input was given: a tensor on the same device, or a numpy array."""
    if isinstance(given, Tensor):
        return result.to(given.device)
    return np.asarray(result.cpu().numpy())


def numpy(values: Array) -> npt.NDArray[Any]:
    """Return values as a numpy array, wherever they are."""
    return np.asarray(values.cpu().numpy() if isinstance(values, Tensor) else values)


def positive(value: float | None, what: str) -> float:
    """Return a number that must be given and positive.

    Raises
    ------
    ArgumentError
        If it is missing, not a number, or not positive.
    """
    if value is None:
        raise ArgumentError(f"{what} is missing; give it, e.g. {what}=1.77")
    number = np.asarray(value)
    if number.ndim or number.dtype.kind not in "iuf" or not 0 < float(number) < np.inf:
        raise ArgumentError(f"{what}: {value!r}; give a positive number")
    return float(number)


def instance(value: object, kind: type[_Result], what: str) -> _Result:
    """Return an argument that must be an instance of a class of cryoflow.

    Raises
    ------
    ArgumentError
        If it is of another, such as a bare array.
    """
    if not isinstance(value, kind):
        name = kind.__name__
        raise ArgumentError(f"{what}: expected a cryoflow.{name}, got {type(value).__name__}")
    return value
