"""Sort: rank particles by how unusual their difference from the reference is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from cryoflow.spec.base import Broken, JobSpec, Section
from cryoflow.spec.field import field, own_field, positive_or_off, section


class Io(Section):
    """Particles, and the references they were picked or classified with."""

    input_particles_to_be_sorted: str = field(
        "Input particles to be sorted:",
        "input_star",
        takes="particles",
        help="Particles with class numbers and in-plane angles, from picking or classification.",
    )
    references_from_model_star: str | None = field(
        "References from model.star:",
        "model_refs",
        None,
        takes="model",
        help="model.star of the classification that the particles come from.",
    )
    autopicking_references: str | None = field(
        "OR autopicking references:",
        "autopick_refs",
        None,
        takes="averages",
        help="The 2D references that the particles were picked with.",
    )


class Reference(Section):
    """How references are compared with particles."""

    pixel_size_in_references: float | None = positive_or_off(
        "Pixel size in references (A)",
        "angpix_ref",
        unit="A",
        low=0.01,
        high=100,
        help="Off: that of the particles; if the boxes differ, that in the references' header.",
    )
    are_references_ctf_corrected: bool = field(
        "Are References CTF corrected?",
        "do_ctf",
        True,
        help="Yes for RELION's class averages: each particle's CTF is then applied to them.",
    )
    ignore_ctfs_until_first_peak: bool = field(
        "Ignore CTFs until first peak?",
        "do_ignore_first_ctfpeak",
        False,
        help="Yes only if the references were made with the same option.",
    )


class Scores(Section):
    """Probability of being an intact particle, learnt from the micrographs (cryoflow's own)."""

    learnt_scores: bool = own_field(
        "Learnt scores?",
        False,
        help="Yes writes particles_scores.star with probability, q-value and features of every particle.",
    )
    good_particles: str | None = own_field(
        "Good particles",
        None,
        takes="particles",
        help="Particles known to be good, such as those of a Select job, to learn the score from.",
    )
    bad_particles: str | None = own_field(
        "Bad particles",
        None,
        takes="particles",
        help="Particles known to be bad; off: all others.",
    )
    good_classes: list[int] | None = own_field(
        "Good classes",
        None,
        help="For good particles from a classification: only these classes are good, the others bad.",
    )
    score_model: str | None = own_field(
        "Score model",
        None,
        takes="score model",
        help="particles_model.json of another Sort job, to apply the score learnt there; off: learn here.",
    )
    particle_diameter: float | None = positive_or_off(
        "Particle diameter (A)",
        None,
        unit="A",
        low=10,
        help="Largest diameter of the particle; off: that of the references' mask.",
    )
    micrograph_pixel_size: float | None = positive_or_off(
        "Pixel size of the micrographs (A)",
        None,
        unit="A",
        low=0.01,
        high=100,
        help="Pixel size of the micrographs on disk; off: that in their headers.",
    )


class Sort(JobSpec):
    """Step 13 of the tutorial."""

    job: Literal["Sort"] = own_field("Job", "Sort")
    io: Io = section("I/O", Io)
    reference: Reference = section("Reference", Reference, relion_heading="References")
    scores: Scores = section("Scores", Scores)

    def broken_rules(self) -> Iterator[Broken]:
        """Yield every rule between fields that this spec breaks."""
        given = [self.io.references_from_model_star, self.io.autopicking_references]
        fields = ("io.references_from_model_star", "io.autopicking_references")
        if given.count(None) == 2:
            yield Broken(fields, "no references; give a model.star, or the references used for picking")
        if given.count(None) == 0:
            yield Broken(fields, "give either a model.star or the references used for picking, not both")
        yield from self._teaching()
        if self.reference.ignore_ctfs_until_first_peak and not self.reference.are_references_ctf_corrected:
            yield Broken(
                ("reference.ignore_ctfs_until_first_peak", "reference.are_references_ctf_corrected"),
                "has no effect if the references are not CTF corrected; set it to No",
            )

    def _teaching(self) -> Iterator[Broken]:
        scores = self.scores
        names = ("good_particles", "bad_particles", "good_classes", "score_model")
        given = [name for name in names if getattr(scores, name) is not None]
        if given and not scores.learnt_scores:
            yield Broken((f"scores.{given[0]}",), "has no effect without scores.learnt_scores: Yes")
        if scores.score_model is not None and len(given) > 1:
            fields = ("scores.score_model", f"scores.{given[0]}")
            yield Broken(fields, "a model is either given or learnt from labels; remove one")
        elif given and scores.good_particles is None and scores.score_model is None:
            yield Broken((f"scores.{given[0]}",), "needs scores.good_particles as well")
        if scores.bad_particles is not None and scores.good_classes is not None:
            fields = ("scores.good_classes", "scores.bad_particles")
            yield Broken(fields, "with good_classes, the other classes are the bad particles; remove one")
