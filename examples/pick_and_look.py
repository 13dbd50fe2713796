# %% [markdown]
# # Pick and look
#
# Picks particles from a simulated micrograph, as steps 10 and 11 of the tutorial do, and looks at what the
# threshold does. Run it as a script, or cell by cell. It writes `pick_and_look.png`.

# %%
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import cryoflow as cf

target = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
folder = TemporaryDirectory()
project = Path(folder.name)

# %% [markdown]
# A project with two micrographs, their CTF table, and four class averages of the particle. With your own
# data, `project` is the folder of your RELION project.

# %%
cf.simulate_project(
    project,
    cf.SimulateOptions(
        micrographs=2, selected=1, size=(800, 900), pixel_size=3.54, particles=60, broken=4, contaminants=6,
        model="barrel", diameter=160, distance=190, snr=0.03, carbon=0, seed=2,
    ),
)  # fmt: skip
table = cf.read_micrographs("CtfFind/job003/micrographs_ctf.star", project)
references = cf.read_references("Select/job009/class_averages.star", project=project)
micrograph = table[0]
print(f"{micrograph.name}, one of {len(table)}: {micrograph.pixels.shape} of {micrograph.pixel_size_a} A")

# %% [markdown]
# The slow part, done once: a figure of merit for every place, the best over references and angles.

# %%
maps = cf.fom_maps(micrograph, references, lowpass_a=20, psi_step_deg=10, shrink=0)
best = np.asarray(maps.fom).max(0)
print(f"{len(references)} maps of {best.shape} samples, {maps.sampling.spacing:.2f} pixels apart")

# %% [markdown]
# The quick part, done as often as you like: peaks above a threshold, at least a distance apart. A simulated
# project knows where its particles are. Low thresholds find fewer of them: of peaks too close to each other
# RELION's rule drops some that were right.

# %%
truth = cf.read_table(project / "truth/mic001.star")
particles = truth[truth["truthKind"] == 1][["rlnCoordinateX", "rlnCoordinateY"]].to_numpy()


def right(picks: cf.Picks) -> int:
    """Particles that have a pick within a third of their diameter."""
    found = picks.to_frame()[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy()
    apart = np.linalg.norm(particles[:, None] - found[None], axis=2)
    return int((apart.min(1, initial=np.inf) < 160 / 3 / micrograph.pixel_size_a).sum())


thresholds = np.arange(0.05, 1.0, 0.05)
runs = [cf.find_peaks(maps, threshold=value, min_distance_a=130) for value in thresholds]
scores = np.array([2 * right(picks) / (len(picks) + len(particles)) for picks in runs])
threshold, chosen = float(thresholds[scores.argmax()]), runs[int(scores.argmax())]
print(f"threshold {threshold:.2f}: {len(chosen)} picks, {right(chosen)} of {len(particles)} particles")
print(chosen.to_frame().head(3).round(2).to_string(index=False))

# %% [markdown]
# Look at it.

# %%
figure, (left, middle, last) = plt.subplots(1, 3, figsize=(15, 4.6), layout="constrained")
pixels = np.asarray(micrograph.pixels)
left.imshow(pixels, cmap="gray", vmin=np.quantile(pixels, 0.01), vmax=np.quantile(pixels, 0.99))
left.scatter(chosen.x, chosen.y, s=220, facecolors="none", edgecolors="tab:orange")
left.set(title=f"{len(chosen)} picks", xlabel="x (pixels)", ylabel="y (pixels)")
figure.colorbar(middle.imshow(best, cmap="viridis", vmin=0, vmax=1.5), ax=middle, label="figure of merit")
middle.set(title="best figure of merit", xlabel="x (samples)", ylabel="y (samples)")
last.plot(thresholds, [len(picks) for picks in runs], label="picks")
last.plot(thresholds, [right(picks) for picks in runs], label="particles found")
last.axhline(len(particles), color="gray", linestyle=":", label="particles")
last.set(title="threshold", xlabel="figure of merit", ylabel="count", ylim=(0, 3 * len(particles)))
last.legend()
figure.savefig(target / "pick_and_look.png", dpi=80)

# %% [markdown]
# The same as a job, which writes the files that the next steps take.

# %%
job = cf.run(
    {
        "job": "AutoPick",
        "alias": "picked",
        "io": {
            "input_micrographs_for_autopick": "CtfFind/job003/micrographs_ctf.star",
            "reference_2d": "Select/job009/class_averages.star",
        },
    },
    project,
    pixel_size_in_references=references.pixel_size_a,
    lowpass_filter_references=20,
    in_plane_angular_sampling=10,
    shrink_factor=0,
    picking_threshold=threshold,
    minimum_inter_particle_distance=130,
)
print(job.summary, job.counts)
assert len(job.table("Micrographs/mic001_autopick.star")) == len(chosen)
folder.cleanup()
