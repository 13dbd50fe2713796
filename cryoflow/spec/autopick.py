"""AutoPick: find particles in micrographs with references, or with a Laplacian of Gaussian."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from cryoflow.spec.autopick_tabs import Autopicking, Io, Laplacian, References, Statistics
from cryoflow.spec.base import Broken, JobSpec
from cryoflow.spec.field import own_field, section
from cryoflow.spec.gpu import broken_gpu_rules
from cryoflow.spec.helix import ASYMMETRICAL_UNITS, TUBE_DIAMETER, helical

_HELICAL = (
    helical("Pick 2D helical segments?", "do_pick_helical_segments", "No"),
    helical("Pick amyloid segments?", "do_amyloid", "No"),
    TUBE_DIAMETER,
    ASYMMETRICAL_UNITS,
    helical("Helical rise (A):", "helical_rise", "-1"),
    helical("Maximum curvature (kappa):", "helical_tube_kappa_max", "0.1"),
    helical("Minimum length (A):", "helical_tube_length_min", "-1"),
)


class AutoPick(JobSpec):
    """Steps 10 and 11 of the tutorial."""

    helical: ClassVar = _HELICAL

    job: Literal["AutoPick"] = own_field("Job", "AutoPick")
    io: Io = section("I/O", Io)
    laplacian: Laplacian = section("Laplacian", Laplacian)
    references: References = section("References", References)
    autopicking: Autopicking = section("autopicking", Autopicking)
    statistics: Statistics = section("Statistics", Statistics)

    def broken_rules(self) -> Iterator[Broken]:
        """Yield every rule between fields that this spec breaks."""
        yield from self._what_to_look_for()
        yield from self._filters()
        yield from self._peaks()
        yield from broken_gpu_rules(self, "autopicking")

    def _what_to_look_for(self) -> Iterator[Broken]:
        io = self.io
        chosen = [io.reference_2d is not None, io.provide_a_3d_reference, io.use_laplacian_of_gaussian]
        fields = ("io.reference_2d", "io.provide_a_3d_reference", "io.use_laplacian_of_gaussian")
        if sum(chosen) == 0:
            yield Broken(
                fields,
                "nothing to search for; give a 2D or a 3D reference, or use Laplacian-of-Gaussian",
            )
        if sum(chosen) > 1:
            yield Broken(
                fields,
                "give only one of: 2D reference, 3D reference, Laplacian-of-Gaussian "
                "(- switches the 2D reference off)",
            )
        if io.provide_a_3d_reference and io.reference_3d is None:
            yield Broken(("io.reference_3d",), "a 3D reference is requested, but no map is given; name one")
        if io.reference_3d is not None and not io.provide_a_3d_reference:
            yield Broken(
                ("io.reference_3d", "io.provide_a_3d_reference"),
                "this map would be ignored; set 'OR: provide a 3D reference?' to Yes or remove the map",
            )

    def _filters(self) -> Iterator[Broken]:
        laplacian, references = self.laplacian, self.references
        if laplacian.min_diameter_for_log_filter > laplacian.max_diameter_for_log_filter:
            yield Broken(
                ("laplacian.min_diameter_for_log_filter", "laplacian.max_diameter_for_log_filter"),
                f"the smallest diameter ({laplacian.min_diameter_for_log_filter:g} A) exceeds the largest "
                f"({laplacian.max_diameter_for_log_filter:g} A)",
            )
        low, high = references.lowpass_filter_references, references.highpass_filter
        if low is not None and high is not None and high <= low:
            yield Broken(
                ("references.highpass_filter", "references.lowpass_filter_references"),
                f"would remove everything that the low-pass filter keeps; give more than {low:g} A",
            )
        pixel = self.io.pixel_size_in_micrographs
        if low is not None and pixel is not None and low < 2 * pixel:
            yield Broken(
                ("references.lowpass_filter_references", "io.pixel_size_in_micrographs"),
                f"{low:g} A is beyond Nyquist for pixels of {pixel:g} A; give at least {2 * pixel:g} A",
            )
        if references.ignore_ctfs_until_first_peak and not references.are_references_ctf_corrected:
            yield Broken(
                ("references.ignore_ctfs_until_first_peak", "references.are_references_ctf_corrected"),
                "has no effect if the references are not CTF corrected; set it to No",
            )

    def _peaks(self) -> Iterator[Broken]:
        tab = self.autopicking
        if tab.write_fom_maps and tab.read_fom_maps:
            yield Broken(
                ("autopicking.read_fom_maps", "autopicking.write_fom_maps"),
                "FOM maps are either written or read; set one of the two to No",
            )
        merit = tab.figure_of_merit
        if tab.template_error is not None and merit != "relion":
            yield Broken(
                ("autopicking.template_error", "autopicking.figure_of_merit"),
                f"template_error cannot be used with figure_of_merit={merit}; remove one of them",
            )
        if self.statistics.decoys and self.io.use_laplacian_of_gaussian:
            yield Broken(
                ("statistics.decoys", "io.use_laplacian_of_gaussian"),
                "decoys are made from references, and there are none; set it to No",
            )
