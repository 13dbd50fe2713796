"""The matrix products of a run: which shapes there were, and how long they take by themselves."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

NAMES = ("__matmul__", "addmm_", "addmm", "baddbmm_", "bmm", "mm")
"""Methods of tensors that multiply matrices."""
MOST_FLOP = 4e11
"""So much is multiplied again, taken at random from all products; times are scaled up."""


class Product(NamedTuple):
    """Two matrices, or stacks of them; each contiguous but for a transposition of its last two axes."""

    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    turned: tuple[bool, bool]
    dtype: torch.dtype

    @property
    def flop(self) -> float:
        """Floating-point operations; four multiplications make a complex one."""
        left, right = self.shapes
        rows = 1.0
        for size in left[:-1]:
            rows *= size
        return (
            2 * rows * left[-1] * (right[-1] if len(right) > 1 else 1) * (4 if self.dtype.is_complex else 1)
        )


@contextmanager
def recorded() -> Iterator[list[Product]]:
    """Note every product, in any thread; one inside another is noted once."""
    found: list[Product] = []
    known: dict[Product, Product] = {}
    inside = threading.local()
    kept = {name: getattr(Tensor, name) for name in NAMES}

    def wrap(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Tensor, *arguments: Any, **named: Any) -> Any:
            operands = arguments[:2] if "add" in name else (self, arguments[0])
            if not getattr(inside, "product", False) and all(isinstance(one, Tensor) for one in operands):
                product = _product(*operands)
                found.append(known.setdefault(product, product))  # millions, of few kinds
            inside.product = True
            try:
                return method(self, *arguments, **named)
            finally:
                inside.product = False

        return call

    for name, method in kept.items():
        setattr(Tensor, name, wrap(name, method))
    try:
        yield found
    finally:
        for name, method in kept.items():
            setattr(Tensor, name, method)


def _product(left: Tensor, right: Tensor) -> Product:
    turned = tuple(one.dim() > 1 and one.stride(-1) != 1 for one in (left, right))
    return Product((tuple(left.shape), tuple(right.shape)), (turned[0], turned[1]), left.dtype)


def seconds_alone(products: list[Product], threads: int, device: str = "cpu") -> float:
    """Time for the same products of random matrices, in so many threads that share them.

    One thread each, since that is the most that this work can gain from several.
    """
    chosen, share = _some(products)
    work = [(product, _matrices(product, device)) for product in set(chosen)]
    matrices = dict(work)

    def multiply(part: list[Product]) -> None:
        torch.set_num_threads(1)
        for product in part:
            left, right = matrices[product]
            left @ right

    before = torch.get_num_threads()
    parts = [chosen[i::threads] for i in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(multiply, [part[: len(part) // 10 + 1] for part in parts]))  # warm up
        _finish(device)
        start = time.perf_counter()
        list(pool.map(multiply, parts))
        _finish(device)
        spent = time.perf_counter() - start
    torch.set_num_threads(before)
    return spent / share


def _some(products: list[Product]) -> tuple[list[Product], float]:
    """Products of about `MOST_FLOP` in all, and their share of the operations of all."""
    order = random.Random(0).sample(products, len(products))
    total, taken, chosen = sum(product.flop for product in products), 0.0, []
    for product in order:
        chosen.append(product)
        taken += product.flop
        if taken > MOST_FLOP:
            break
    return chosen, taken / total


def _matrices(product: Product, device: str) -> tuple[Tensor, Tensor]:
    made = []
    for shape, turned in zip(product.shapes, product.turned, strict=True):
        stored = (*shape[:-2], shape[-1], shape[-2]) if turned else shape
        values = torch.randn(*stored, dtype=product.dtype, device=device)
        made.append(values.transpose(-1, -2) if turned else values)
    return made[0], made[1]


def _finish(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()
