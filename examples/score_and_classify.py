# %% [markdown]
# # Score and classify
#
# From picks to good classes, as steps 12 to 16 of the tutorial do it: extract particles, score them, drop the
# bad ones, classify the rest. Run it as a script, or cell by cell. It writes `score_and_classify.png`.

# %%
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import cryoflow as cf
from cryoflow.simulate.score import score_table

target = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
folder = TemporaryDirectory()
project = Path(folder.name)

# %% [markdown]
# A simulated project with broken particles and contaminants, so that there is something to sort out.

# %%
cf.simulate_project(
    project,
    cf.SimulateOptions(
        micrographs=3, selected=1, size=(800, 900), pixel_size=3.54, particles=60, broken=12, contaminants=12,
        model="barrel", diameter=160, distance=170, snr=0.05, carbon=0, seed=4,
    ),
)  # fmt: skip
table = cf.read_micrographs("CtfFind/job003/micrographs_ctf.star", project)
references = cf.read_references("Select/job009/class_averages.star", project=project)
names = table.to_frame()["rlnMicrographName"].tolist()

# %% [markdown]
# Pick generously and cut the particles out of each micrograph.

# %%
parts = []
for micrograph in table:
    picks = cf.pick(
        micrograph, references, threshold=0.1, min_distance_a=120, lowpass_a=20, psi_step_deg=10, shrink=0
    )
    parts.append(cf.extract(micrograph, picks, box_px=64, background_diameter_px=50))
particles = cf.Particles.concat(parts)


def report(what: str, rows: cf.Particles | cf.Selection) -> None:
    """Compare with the truth, which a simulated project knows."""
    found = score_table(project, rows.to_frame(), names)
    print(f"{what:28} {found.picks:4} particles, precision {found.precision:.2f}, recall {found.recall:.2f}")


report("picked", particles)

# %% [markdown]
# Two scores: how unusual the difference from the reference is among all particles (RELION's Z-score; high is
# bad), and the chance of being a whole particle, which is learnt from the micrographs without labels.

# %%
sorted_particles = cf.z_scores(particles, references)
learnt = cf.learnt_scores(particles, references, table, diameter_a=160)
print(f"scores learnt {learnt.how}")
low = cf.select(sorted_particles, columns={"rlnParticleSelectZScore": (None, 0.45)})
report("Z-score up to 0.45", low)
likely = cf.select(particles, probability_min=0.5, scores=learnt)
report("probability at least 0.5", likely)

# %% [markdown]
# Classify what is left, and keep the classes with most particles.

# %%
good = particles[likely.keep]
classification = cf.classify(
    good, classes=4, iterations=8, mask_diameter_a=190, psi_step_deg=12, offset_range_px=4
)
largest = np.argsort(-np.asarray(classification.share))[:3] + 1
chosen = cf.select(classification, classes=largest.tolist())
report(f"classes {', '.join(map(str, sorted(largest)))}", chosen)

# %% [markdown]
# Look at it.

# %%
figure = plt.figure(figsize=(12, 5.5), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(1, 1.3))
upper, lower = left.subplots(2, 1)
upper.hist(sorted_particles.z, bins=30)
upper.axvline(0.45, color="tab:orange")
upper.set(xlabel="Z-score", ylabel="particles")
lower.hist(learnt.probability, bins=30)
lower.axvline(0.5, color="tab:orange")
lower.set(xlabel="probability of a whole particle", ylabel="particles")
for index, axes in enumerate(np.ravel(right.subplots(2, 2))):
    axes.imshow(classification.averages[index], cmap="gray")
    axes.set(title=f"class {index + 1}: {classification.share[index]:.0%}", xticks=[], yticks=[])
right.suptitle(f"averages at {classification.resolution_a:.0f} A")
figure.savefig(target / "score_and_classify.png", dpi=80)
folder.cleanup()
