"""A second device that is not there: tensors that say they lie on ``cuda:0``, in the memory of the CPU.

What computes on them refuses to mix them with those of the CPU, as CUDA does, so that code may be tested for
lying where it should on machines without a GPU. Assigning to a slice what lies on the other device is refused
too, where CUDA copies: what is copied unseen takes time. It tells nothing of kernels, of speed or of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("cuda:0")
FACTORIES = (
    "arange", "as_tensor", "empty", "eye", "full", "hann_window", "linspace", "ones", "rand", "randint",
    "randn", "randperm", "tensor", "zeros", "fft.fftfreq", "fft.rfftfreq",
)  # fmt: skip
OFF_THE_CPU = {Tensor.numpy, Tensor.__array__}
TO, CPU, GET, SET = Tensor.to, Tensor.cpu, Tensor.__getitem__, Tensor.__setitem__
ACROSS = {TO, CPU, Tensor.copy_}
"""What may take tensors of both devices."""


class There(Tensor):
    """A tensor on the device."""

    device = property(lambda _: DEVICE)
    is_cuda = property(lambda _: True)

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], _: Iterable[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        return call(function, args, dict(kwargs or {}))


def call(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """Do on the CPU what is asked for, and let the result lie where it belongs."""
    if function in OFF_THE_CPU:
        raise TypeError("can't convert cuda:0 device type tensor to numpy; use Tensor.cpu() first")
    _refuse_mixtures(function, args, kwargs)
    target = _target(function, args, kwargs)
    if target == DEVICE and any(isinstance(one, torch.Generator) for one in tree_leaves((args, kwargs))):
        raise RuntimeError(f"{function.__name__}: expected a 'cuda' device type for generator")
    plain_args, plain = tree_map(_plain, args), tree_map(_plain, kwargs)
    with torch._C.DisableTorchFunctionSubclass():
        result = function(*plain_args, **plain)
    return tree_map(_there, result) if target == DEVICE and _has_tensors(result) else result


def _has_tensors(value: Any) -> bool:
    return any(isinstance(one, Tensor) for one in tree_leaves(value))


def _refuse_mixtures(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> None:
    mixed = args
    if function in (GET, SET) and isinstance(args[0], There):  # numbers on the CPU may index what lies there
        mixed = (args[0], *args[2:])
    tensors = [value for value in tree_leaves((mixed, kwargs)) if isinstance(value, Tensor)]
    if not any(isinstance(value, There) for value in tensors):
        return
    with torch._C.DisableTorchFunctionSubclass():
        strange = any(not isinstance(value, There) and value.ndim for value in tensors)
    if strange and function not in ACROSS:
        raise RuntimeError(f"{function.__name__}: expected all tensors to be on the same device, {DEVICE}")


def _target(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> torch.device:
    """Where the result lies."""
    if function is CPU:
        return torch.device("cpu")
    named = [kwargs["device"]] if kwargs.get("device") is not None else []
    if function is TO:
        named += [value for value in args[1:] if isinstance(value, str | torch.device)]
        named += [DEVICE if isinstance(v, There) else "cpu" for v in args[1:] if isinstance(v, Tensor)]
    if named:
        return torch.device(named[0]) if torch.device(named[0]).type == "cpu" else DEVICE
    return DEVICE if any(isinstance(v, There) for v in tree_leaves((args, kwargs))) else torch.device("cpu")


def _plain(value: Any) -> Any:
    if isinstance(value, There):
        with torch._C.DisableTorchFunctionSubclass():
            return value.as_subclass(Tensor)
    named = isinstance(value, torch.device) or (isinstance(value, str) and value.startswith("cuda"))
    return "cpu" if named else value


def _there(value: Any) -> Any:
    return value.as_subclass(There) if isinstance(value, Tensor) else value


@contextmanager
def stand_in() -> Iterator[None]:
    """Let ``cuda:0`` be there, with 8 GB free."""
    free = (8 << 30, 8 << 30)
    with patch.multiple(
        torch.cuda, is_available=lambda: True, device_count=lambda: 1, mem_get_info=lambda *_: free
    ):
        patches = [_patched(name) for name in FACTORIES] + [patch.object(Tensor, "to", _to)]
        for one in patches:
            one.start()
        try:
            yield
        finally:
            for one in patches:
                one.stop()


def _patched(name: str) -> Any:
    place, _, last = f"torch.{name}".rpartition(".")
    owner = torch.fft if place == "torch.fft" else torch
    made = getattr(owner, last)

    @wraps(made)
    def factory(*args: Any, **kwargs: Any) -> Any:
        return call(made, args, kwargs)

    return patch.object(owner, last, factory)


def _to(*args: Any, **kwargs: Any) -> Any:
    return call(TO, args, kwargs)
