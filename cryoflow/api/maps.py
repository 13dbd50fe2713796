"""Figure-of-merit maps of references, as in AutoPick."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypedDict, get_args

import torch
from torch import Tensor

from cryoflow.api.arrays import Array, as_tensor, instance, like, positive
from cryoflow.api.images import Micrograph, References
from cryoflow.compute.parallel import keep_freed_memory
from cryoflow.compute.pick import figure_of_merit as compute
from cryoflow.compute.pick.figure_of_merit import Sampling
from cryoflow.compute.pick.micrograph import normalise_micrograph
from cryoflow.compute.pick.references import prepare_references
from cryoflow.compute.pick.search import Search, prepare_search
from cryoflow.errors import ArgumentError, CryoflowError

FigureOfMerit = Literal["relion", "ncc"]


class SearchOptions(TypedDict, total=False):
    """Options of a search; see `fom_maps`."""

    lowpass_a: float | None
    highpass_a: float | None
    psi_step_deg: float
    mask_diameter_a: float | None
    inverted_contrast: bool
    ctf_corrected: bool
    ignore_ctf_until_first_peak: bool
    shrink: float
    figure_of_merit: FigureOfMerit


@dataclass(frozen=True, eq=False)
class FomMaps:
    """Figure-of-merit maps of one micrograph, float32, at the samples of the search.

    Sample ``(row, column)`` lies at ``sampling.top + row * sampling.spacing`` and ``sampling.left + column *
    sampling.spacing`` micrograph pixels from the centre of the first pixel, along y and x.

    Attributes
    ----------
    fom : array
        ``(n, h, w)``: best figure of merit of each reference over the angles.
    psi_deg : array
        ``(n, h, w)``: in-plane angle of that best figure of merit.
    sd, mean : array
        ``(h, w)``: local standard deviation and mean of the background.
    expected : array
        ``(n,)``: probability ratio of a perfect match.
    sampling : Sampling
        Where samples lie on the micrograph.
    micrograph : str
        Its name.
    pixel_size_a : float
        Of the micrograph.
    mask_radius_px, box_px : int
        Of the references, in micrograph pixels.
    figure_of_merit : {"relion", "ncc"}
    """

    fom: Array
    psi_deg: Array
    sd: Array
    mean: Array
    expected: Array
    sampling: Sampling
    micrograph: str
    pixel_size_a: float
    mask_radius_px: int
    box_px: int
    figure_of_merit: FigureOfMerit


def fom_maps(
    micrograph: Micrograph,
    references: References,
    *,
    lowpass_a: float | None = 20.0,
    highpass_a: float | None = None,
    psi_step_deg: float = 5.0,
    mask_diameter_a: float | None = None,
    inverted_contrast: bool = True,
    ctf_corrected: bool = True,
    ignore_ctf_until_first_peak: bool = False,
    shrink: float = 1.0,
    figure_of_merit: FigureOfMerit = "relion",
) -> FomMaps:
    """Compare all references at all angles with all places of a micrograph.

    Defaults are those of AutoPick. Micrographs of one size share what the references need: pass the same
    `References` for all of them.

    Parameters
    ----------
    micrograph : Micrograph
        Computed in double precision if its pixels are, else in single; a tensor, on its device.
    references : References
        Masked, inverted and rescaled to the micrograph's pixel size here.
    lowpass_a, highpass_a : float or None
        Resolutions in A; None for no filter.
    psi_step_deg : float
        In-plane step.
    mask_diameter_a : float, optional
        Disc that is compared; by default measured from the references.
    inverted_contrast : bool
        Particles are white in the references and dark in the micrograph.
    ctf_corrected : bool
        The references are, so that the micrograph's CTF is applied to them.
    ignore_ctf_until_first_peak : bool
        The CTF is 1 up to its first peak.
    shrink : float
        1 keeps every pixel, 0 downscales to the low-pass filter (much faster).
    figure_of_merit : {"relion", "ncc"}
        RELION's (1 is a perfect match), or the correlation coefficient under the mask.

    Returns
    -------
    FomMaps
        Arrays of the same kind as the micrograph.

    Raises
    ------
    ArgumentError
        If an argument cannot be used, e.g. pixels are NaN or the CTF is missing.
    CryoflowError
        If micrograph and references do not fit each other.
    """
    instance(micrograph, Micrograph, "micrograph")
    instance(references, References, "references")
    if figure_of_merit not in get_args(FigureOfMerit):
        known = " or ".join(get_args(FigureOfMerit))
        raise ArgumentError(f"figure_of_merit: {figure_of_merit!r}; give {known}")
    pixels = as_tensor(micrograph.pixels, micrograph.label, "h w")
    if ctf_corrected and micrograph.ctf is None:
        raise ArgumentError(f"{micrograph.label}: has no CTF; give one, or set ctf_corrected=False")
    ctf = micrograph.ctf.parameters() if ctf_corrected and micrograph.ctf is not None else None
    wanted = _Search(
        pixels.dtype, pixels.device, int(pixels.shape[0]), int(pixels.shape[1]), micrograph.pixel_size_a,
        mask_diameter_a, inverted_contrast, lowpass_a, shrink, psi_step_deg, highpass_a,
    )  # fmt: skip
    search = _search(references, wanted)
    keep_freed_memory()
    try:
        normal = normalise_micrograph(pixels)
        maps = compute.fom_maps(search, normal, ctf, ignore_ctf_until_first_peak, figure_of_merit)
    except CryoflowError as error:
        raise CryoflowError(f"{micrograph.label}: {error}") from error
    return FomMaps(
        **{name: like(getattr(maps, name), micrograph.pixels) for name in maps._fields[:5]},
        sampling=maps.sampling,
        micrograph=micrograph.name,
        pixel_size_a=micrograph.pixel_size_a,
        mask_radius_px=search.references.radius,
        box_px=search.references.box,
        figure_of_merit=figure_of_merit,
    )


class _Search(NamedTuple):
    """Everything that a search depends on besides the references."""

    dtype: torch.dtype
    device: torch.device
    height: int
    width: int
    pixel_size_a: float
    mask_diameter_a: float | None
    inverted: bool
    lowpass_a: float | None
    shrink: float
    psi_step_deg: float
    highpass_a: float | None

    def check(self) -> None:
        """Refuse options that are not positive."""
        positive(self.psi_step_deg, "psi_step_deg")
        for name in ("lowpass_a", "highpass_a", "mask_diameter_a"):
            if getattr(self, name) is not None:
                positive(getattr(self, name), name)


def _search(references: References, wanted: _Search) -> Search:
    """Data shared by micrographs of one size; the last is cached with the references."""
    images = as_tensor(references.images, "references", "n box box", dtype=torch.float64)
    key = (wanted, hashlib.sha256(images.cpu().numpy().tobytes()).digest())
    kept: dict[Any, Search] = references.prepared
    if key not in kept:
        wanted.check()
        kept.clear()  # one at a time: rotated references are large
        kept[key] = _prepare(images, references.pixel_size_a, wanted)
    return kept[key]


def _prepare(images: Tensor, reference_pixel_a: float, wanted: _Search) -> Search:
    ready = prepare_references(
        images.to(wanted.device, wanted.dtype),
        reference_pixel_a,
        wanted.pixel_size_a,
        wanted.mask_diameter_a,
        wanted.inverted,
    )
    return prepare_search(
        ready,
        wanted.height,
        wanted.width,
        wanted.pixel_size_a,
        wanted.lowpass_a,
        wanted.shrink,
        wanted.psi_step_deg,
        wanted.highpass_a,
        at_once=torch.get_num_threads(),
    )
