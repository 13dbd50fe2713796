"""Select: keep some of the classes, micrographs or particles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from cryoflow.spec.base import Broken, JobSpec, Section
from cryoflow.spec.field import NOT_POSITIVE, field, own_field, positive_or_off, section
from cryoflow.spec.selection import Selection


class Io(Section):
    """What to select from: exactly one of the four inputs."""

    select_classes_from_model_star: str | None = field(
        "Select classes from model.star:",
        "fn_model",
        None,
        takes="model",
        help="model.star of a classification; the particles of the selected classes are kept.",
    )
    select_from_micrographs_star: str | None = field(
        "OR select from micrographs.star:",
        "fn_mic",
        None,
        takes="micrographs",
        help="Table of micrographs to select from.",
    )
    select_from_particles_star: str | None = field(
        "OR select from particles.star:",
        "fn_data",
        None,
        takes="particles",
        help="Table of particles to select from.",
    )
    select_from_picked_coords: str | None = field(
        "OR select from picked coords:",
        "fn_coords",
        None,
        takes="coordinates",
        help="coords_suffix file or autopick.star of a picking job, whose micrographs are selected from.",
    )


class ClassOptions(Section):
    """What is done with the selected classes."""

    re_center_the_class_averages: bool = field(
        "Re-center the class averages?",
        "do_recenter",
        True,
        help="Yes moves each average's centre of mass to the centre, as picking references need it.",
    )
    regroup_the_particles: bool = field(
        "Regroup the particles?",
        "do_regroup",
        False,
        help="Yes merges micrographs with few particles into groups of similar intensity scale.",
    )
    approximate_nr_of_groups: int = field(
        "Approximate nr of groups:",
        "nr_groups",
        1,
        low=1,
        help="Number of groups to aim for; used when regrouping.",
    )


class Subsets(Section):
    """Selections by value or by image statistics, and splitting: at most one of them."""

    select_based_on_metadata_values: bool = field(
        "Select based on metadata values?",
        "do_select_values",
        False,
        help="Yes keeps rows whose value in one column lies between minimum and maximum.",
    )
    metadata_label_for_subset_selection: str = field(
        "Metadata label for subset selection:",
        "select_label",
        "rlnCtfFigureOfMerit",
        help="The column, e.g. rlnCtfMaxResolution.",
    )
    minimum_metadata_value: float = field(
        "Minimum metadata value:", "select_minval", -9999.0, help="Lowest value kept."
    )
    maximum_metadata_value: float = field(
        "Maximum metadata value:", "select_maxval", 9999.0, help="Highest value kept."
    )
    select_on_image_statistics: bool = field(
        "OR: select on image statistics?",
        "do_discard",
        False,
        help="Yes drops images whose mean or standard deviation is an outlier.",
    )
    metadata_label_for_images: str = field(
        "Metadata label for images:",
        "discard_label",
        "rlnImageName",
        help="Column with the image names: rlnImageName, or rlnMicrographName.",
    )
    sigma_value_for_discarding_images: float = field(
        "Sigma-value for discarding images:",
        "discard_sigma",
        4.0,
        unit="sd",
        above=0,
        help="Images more than this many standard deviations from the mean of all are dropped.",
    )
    split_into_subsets: bool = field(
        "OR: split into subsets?", "do_split", False, help="Yes writes the rows into several tables."
    )
    randomise_order_before_making_subsets: bool = field(
        "Randomise order before making subsets?:",
        "do_random",
        False,
        help="Yes shuffles the rows (with the compute section's seed) before splitting.",
    )
    subset_size: int | None = field(
        "Subset size:",
        "split_size",
        100,
        off=NOT_POSITIVE,
        low=1,
        help="Rows per subset; off: the rows are divided among the given number of subsets.",
    )
    number_of_subsets: int | None = field(
        "OR: number of subsets:",
        "nr_split",
        None,
        off=NOT_POSITIVE,
        low=1,
        help="Number of subsets of equal size; off: split by subset size.",
    )


class Duplicates(Section):
    """Particles that were picked more than once."""

    remove_duplicates: bool = field(
        "OR: remove duplicates?",
        "do_remove_duplicates",
        False,
        help="Yes keeps one of several particles at one position; duplicates inflate resolution estimates.",
    )
    minimum_inter_particle_distance: float = field(
        "Minimum inter-particle distance (A)",
        "duplicate_threshold",
        30.0,
        unit="A",
        low=0,
        help="Of particles closer than this (offsets applied), one is kept.",
    )
    pixel_size_before_extraction: float | None = positive_or_off(
        "Pixel size before extraction (A)",
        "image_angpix",
        unit="A",
        low=0.01,
        high=100,
        help="Micrograph pixel size, if the particle table has none; off: that of the table.",
    )


class Select(JobSpec):
    """Steps 14 and 16 of the tutorial."""

    job: Literal["Select"] = own_field("Job", "Select")
    io: Io = section("I/O", Io)
    class_options: ClassOptions = section("Class options", ClassOptions)
    subsets: Subsets = section("Subsets", Subsets)
    duplicates: Duplicates = section("Duplicates", Duplicates)
    selection: Selection = section("Selection", Selection)

    def broken_rules(self) -> Iterator[Broken]:
        """Yield every rule between fields that this spec breaks."""
        inputs = [f"io.{name}" for name in Io.declarations() if getattr(self.io, name) is not None]
        if not inputs:
            yield Broken(
                ("io.select_classes_from_model_star",),
                "nothing to select from; give model.star, micrographs.star, particles.star or picked coords",
            )
        if len(inputs) > 1:
            yield Broken((inputs[1], inputs[0]), "give only one input to select from, and - for the others")
        yield from self._one_task()
        yield from self._matching_input()
        yield from self._values()

    def _tasks(self) -> dict[str, bool]:
        return {
            "subsets.select_based_on_metadata_values": self.subsets.select_based_on_metadata_values,
            "subsets.select_on_image_statistics": self.subsets.select_on_image_statistics,
            "subsets.split_into_subsets": self.subsets.split_into_subsets,
            "duplicates.remove_duplicates": self.duplicates.remove_duplicates,
        }

    def _one_task(self) -> Iterator[Broken]:
        asked = [name for name, wanted in self._tasks().items() if wanted]
        if len(asked) > 1:
            yield Broken(
                (asked[1], asked[0]),
                "a job does only one of: metadata values, image statistics, subsets, duplicates",
            )

    def _matching_input(self) -> Iterator[Broken]:
        io = self.io
        if io.select_classes_from_model_star is None:
            if self.class_options.regroup_the_particles:
                yield Broken(
                    ("class_options.regroup_the_particles",), "regrouping needs a model.star as input"
                )
            for name in ("classes", "class_score_min"):
                if getattr(self.selection, name) is not None:
                    yield Broken((f"selection.{name}",), "selecting classes needs a model.star as input")
        of_particles = io.select_classes_from_model_star or io.select_from_particles_star
        for name in ("q_value_max", "probability_min"):
            if getattr(self.selection, name) is not None and not of_particles:
                yield Broken(
                    (f"selection.{name}",), "only particles have scores; select from a particles.star"
                )
        cuts = (self.selection.q_value_max, self.selection.probability_min)
        if self.selection.scores is not None and cuts == (None, None):
            yield Broken(("selection.scores",), "has no effect without q_value_max or probability_min")
        if self.selection.invert and not self.selection.has_conditions():
            yield Broken(("selection.invert",), "has no effect without a condition to invert")
        elsewhere = io.select_classes_from_model_star or io.select_from_picked_coords
        for name, asked in self._tasks().items():
            if asked and name == "duplicates.remove_duplicates":
                if elsewhere or io.select_from_micrographs_star:
                    yield Broken((name,), "duplicates can only be removed from a particles.star")
            elif asked and elsewhere:
                yield Broken((name,), "only works on a micrographs.star or a particles.star")

    def _values(self) -> Iterator[Broken]:
        subsets = self.subsets
        low, high = subsets.minimum_metadata_value, subsets.maximum_metadata_value
        if low > high:
            yield Broken(
                ("subsets.minimum_metadata_value", "subsets.maximum_metadata_value"),
                f"the minimum ({low:g}) exceeds the maximum ({high:g})",
            )
        if subsets.split_into_subsets and subsets.subset_size is None and subsets.number_of_subsets is None:
            yield Broken(
                ("subsets.subset_size", "subsets.number_of_subsets"),
                "splitting needs a subset size or a number of subsets",
            )
        if subsets.randomise_order_before_making_subsets and not subsets.split_into_subsets:
            yield Broken(
                ("subsets.randomise_order_before_making_subsets", "subsets.split_into_subsets"),
                "has no effect unless the rows are split into subsets; set it to No",
            )
