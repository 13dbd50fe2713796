"""Arrays of any kind in, and what comes back."""

import numpy as np
import pytest
import torch

import cryoflow as cf
from cryoflow.api.arrays import as_tensor, like, positive

VALUES = np.arange(12).reshape(3, 4)


@pytest.mark.parametrize(
    "dtype", ["u1", "i2", ">i2", "u4", "i8", "f2", "f4", ">f4", "f8", ">f8", "longdouble"]
)
def test_every_number_type_of_numpy_keeps_its_values(dtype: str) -> None:
    found = as_tensor(VALUES.astype(dtype), "image", "h w")
    assert found.tolist() == VALUES.tolist()
    assert found.dtype == (torch.float64 if dtype in ("f8", ">f8", "longdouble") else torch.float32)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float64])
def test_every_number_type_of_torch_keeps_its_values(dtype: torch.dtype) -> None:
    assert as_tensor(torch.from_numpy(VALUES).to(dtype), "image", "h w").tolist() == VALUES.tolist()


def test_memory_layout_does_not_matter() -> None:
    large = np.arange(48.0).reshape(6, 8)
    for view in (large[::2, ::2], large.T[::-2], np.asfortranarray(large)):
        assert as_tensor(view, "image", "h w").tolist() == view.tolist()


def test_what_cannot_be_written_to_is_left_alone() -> None:
    fixed = VALUES.astype(np.float32)
    fixed.flags.writeable = False
    assert as_tensor(fixed, "image", "h w").tolist() == VALUES.tolist()


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (VALUES + 0j, "image: complex numbers (complex128); give real ones"),
        (
            torch.zeros(3, 4, dtype=torch.complex64),
            "image: complex numbers (torch.complex64); give real ones",
        ),
        ([["a", "b"]], "image: <U1 is not a number type; give an array of numbers"),
        (VALUES[0], "image: shape (4,); expected (h, w)"),
        (np.where(VALUES == 3, np.nan, VALUES), "image: 1 of 12 values are NaN or infinite"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(values: object, line: str) -> None:
    with pytest.raises(cf.ArgumentError) as caught:
        as_tensor(values, "image", "h w")
    assert str(caught.value) == line
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("value", [None, 0, -1.5, float("nan"), "2", [1.0, 2.0]])
def test_a_pixel_size_must_be_one_positive_number(value: object) -> None:
    with pytest.raises(cf.ArgumentError, match="pixel_size_a"):
        positive(value, "pixel_size_a")  # type: ignore[arg-type]


def test_results_come_back_as_what_was_given() -> None:
    result = torch.arange(3.0)
    assert like(result, torch.zeros(1)) is result
    assert isinstance(like(result, np.zeros(1)), np.ndarray)
    assert isinstance(like(result, [0]), np.ndarray)
