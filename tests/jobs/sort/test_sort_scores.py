from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.particle_project import Listener

from cryoflow.compute.score.features import Features
from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.mrc import read_image, write_mrc
from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import read_particles
from cryoflow.jobs.extract.run import run as extract
from cryoflow.jobs.sort import learning as module
from cryoflow.jobs.sort.labels import read_labels
from cryoflow.jobs.sort.run import run
from cryoflow.jobs.sort.score_micrograph import Round
from cryoflow.jobs.sort.scores import unseen_chance
from cryoflow.learn.score.score_model import self_taught
from cryoflow.project.context import JobContext, JobResult
from cryoflow.simulate.options import SimulateOptions
from cryoflow.simulate.project import CTF_TABLE, REFERENCES, simulate_project
from cryoflow.spec import parse_spec
from cryoflow.spec.sort import Scores

OPTIONS = SimulateOptions(
    micrographs=3,
    selected=3,
    size=(440, 480),
    pixel_size=4.0,
    particles=16,
    broken=2,
    contaminants=2,
    carbon=0,
    snr=0.1,
    mode="float32",
)
PARTICLES = "Extract/job012/particles.star"


def picks(project: Path, name: str, seed: int) -> pd.DataFrame:
    """Whole particles, half a pixel off, and as many places of chance."""
    truth = read_star(project / f"truth/{name}.star")[""]
    assert isinstance(truth, pd.DataFrame)
    good = truth.loc[truth["truthKind"] == 1, ["rlnCoordinateX", "rlnCoordinateY"]] + 0.5
    chance = np.random.default_rng(seed).uniform(60, 380, (len(good), 2))
    table = pd.concat((good, pd.DataFrame(chance, columns=good.columns)), ignore_index=True)
    return table.assign(rlnClassNumber=1, rlnAnglePsi=0.0, rlnAutopickFigureOfMerit=1.0)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scores")
    simulate_project(root, OPTIONS)
    for number in (1, 2, 3):
        table = picks(root, f"mic00{number}", number)
        write_star(root / f"AutoPick/job011/Micrographs/mic00{number}_autopick.star", {"": table})
    (root / "AutoPick/job011/coords_suffix_autopick.star").write_text(f"{CTF_TABLE}\n")
    io = {
        "micrograph_star_file": CTF_TABLE,
        "input_coordinates": "AutoPick/job011/coords_suffix_autopick.star",
    }
    spec = {"job": "Extract", "io": io, "extract": {"particle_box_size": 48}}
    extract(parse_spec(spec), context(root, "Extract/job012"))
    return root


def context(root: Path, job: str) -> JobContext:
    (root / job).mkdir(parents=True, exist_ok=True)
    return JobContext(root, root / job, report=Listener())


def score(
    project: Path, job: str | JobContext = "Sort/job013", particles: str = PARTICLES, **scores: Any
) -> tuple[pd.DataFrame, JobResult]:
    io = {"input_particles_to_be_sorted": particles, "autopicking_references": REFERENCES}
    wanted = {"learnt_scores": True, "particle_diameter": OPTIONS.diameter, **scores}
    reference = {"pixel_size_in_references": 2 * OPTIONS.pixel_size}
    spec = parse_spec({"job": "Sort", "io": io, "reference": reference, "scores": wanted})
    job = context(project, job) if isinstance(job, str) else job
    result = run(spec, job)
    table = read_star(job.directory / "particles_scores.star")[""]
    assert isinstance(table, pd.DataFrame)
    return table, result


def truth(table: pd.DataFrame, project: Path) -> np.ndarray:
    kinds = np.zeros(len(table), bool)
    for name, rows in table.groupby("rlnMicrographName"):
        known = read_star(project / f"truth/{Path(str(name)).stem}.star")[""]
        assert isinstance(known, pd.DataFrame)
        known = known[known["truthKind"] == 1]
        steps = [
            rows[f"rlnCoordinate{a}"].to_numpy()[:, None] - known[f"rlnCoordinate{a}"].to_numpy()
            for a in "XY"
        ]
        kinds[rows.index] = np.hypot(*steps).min(1) < 0.3 * OPTIONS.diameter / OPTIONS.pixel_size
    return kinds


def auc(values: pd.Series, good: np.ndarray) -> float:
    numbers = values.to_numpy(float)
    pairs = numbers[good][:, None] - numbers[~good]
    return float((pairs > 0).mean() + 0.5 * (pairs == 0).mean())


def test_particles_score_above_places_of_chance(project: Path) -> None:
    table, result = score(project)
    rows = read_particles(project / "Sort/job013/particles_sort.star").rows
    assert table["rlnImageName"].tolist() == rows["rlnImageName"].tolist()
    good = truth(table, project)
    assert auc(table["cryoflowNcc"], good) > 0.95 and auc(table["cryoflowLogOdds"], good) > 0.9
    accepted = table["cryoflowQValueShape"] <= 0.2
    assert accepted.any() and good[accepted].mean() > 0.8
    accepted = table["cryoflowQValue"] <= 0.1
    assert good[accepted].mean() > 0.8 and accepted[good].mean() > 0.5
    assert result.counts["scored"] == len(rows) and not result.failures
    assert "Sort/job013/particles_scores.star" in result.outputs and "Micrographs/mic001.mrc" in result.inputs


def test_rows_order_and_a_second_run_change_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "teaches", lambda chance: True)  # so small a project teaches little
    first, _ = score(project)
    again, _ = score(project, "Sort/job014")
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    rows = read_particles(project / PARTICLES).rows.sample(frac=1, random_state=1)
    write_star(project / "shuffled.star", {"": rows})
    shuffled, _ = score(project, "Sort/job015", "shuffled.star")
    by_name = [table.set_index("rlnImageName").sort_index() for table in (first, shuffled)]
    pd.testing.assert_frame_equal(*by_name, check_exact=True)


def test_too_few_particles_to_learn_from_are_told(project: Path) -> None:
    job = context(project, "Sort/job020")
    table, _ = score(project, job=job)
    assert isinstance(job.report, Listener) and "too few clear particles" in job.report.warned[0]
    assert table["cryoflowProbability"].between(0, 1).all()


def test_where_picks_hold_no_noise_unpicked_places_show_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = read_particles(project / PARTICLES).rows
    picked = np.flatnonzero(truth(rows, project))[::2]
    write_star(project / "half.star", {"": rows.iloc[picked]})
    taught: dict[str, torch.Tensor] = {}

    def spy(features: torch.Tensor, chance: torch.Tensor, fold: torch.Tensor, *rest: Any) -> Any:
        taught.update(features=features, chance=chance, only=fold == -1)
        return self_taught(features, chance, fold, *rest)

    monkeypatch.setattr(module, "teaches", lambda chance: True)
    monkeypatch.setattr(module, "self_taught", spy)
    table, _ = score(project, "Sort/job060", "half.star")
    only, chance = taught["only"], taught["chance"]
    assert (~only).sum() == len(picked) == len(table) and table["cryoflowLogOdds"].notna().all()
    # none of the picks, none of the other particles, but noise
    assert not set(taught["features"][only, 0].tolist()) & set(table["cryoflowNcc"])
    assert chance[only].max() <= 0.7 and (chance[~only] > 0.7).sum() > 0.8 * len(picked)
    assert (chance[only] < 0.3).sum() >= 15


def test_the_report_tells_counts_and_importances(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "teaches", lambda chance: True)
    table, result = score(project, "Sort/job027")
    assert "Sort/job027/scores_report.star" in result.outputs
    blocks = read_star(project / "Sort/job027/scores_report.star")
    frames = {name: block for name, block in blocks.items() if isinstance(block, pd.DataFrame)}
    assert list(frames) == ["histogram", "accepted", "probability", "importance"]
    chances = frames["probability"]
    expected = np.histogram(table["cryoflowProbability"], np.linspace(0, 1, 11))[0]
    assert chances["cryoflowParticles"].tolist() == expected.tolist()
    assert chances["cryoflowProbability"].tolist() == pytest.approx(np.arange(0.05, 1, 0.1).tolist())
    accepted = frames["accepted"]
    for level, count, false in accepted.itertuples(index=False):
        assert count == (table["cryoflowQValue"] <= level).sum() and false == pytest.approx(level * count)
    peaks = frames["histogram"]
    high = peaks["cryoflowNcc"] > peaks["cryoflowNcc"].quantile(0.7)
    assert peaks["cryoflowTargets"][high].sum() > 5 * peaks["cryoflowDecoys"][high].sum()
    moved = frames["importance"]["cryoflowImportance"]
    assert moved.is_monotonic_decreasing and (moved >= 0).all() and len(moved) == len(Features._fields)


def write_rows(project: Path, name: str, rows: pd.DataFrame) -> str:
    write_star(project / name, {"": rows})
    return name


def test_hidden_objects_lie_under_places_by_their_share_of_the_area() -> None:
    rivals = torch.arange(100.0)
    won = torch.tensor([150.0, 50.5, 10.5])  # beats all; 51 of 100, squared; too seldom to count
    area = torch.tensor([30.0, 50.0])
    found = unseen_chance(Round(torch.zeros(0), won, torch.zeros(0), rivals, area))
    assert found == pytest.approx((1 / 0.51**2 - 1) * np.pi * 0.35**2 / 80)
    assert unseen_chance(Round(*[torch.zeros(0)] * 5)) == 0


def test_labels_teach_and_what_was_learnt_serves_elsewhere(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAST", 20)
    rows = read_particles(project / PARTICLES).rows
    good = truth(rows, project)
    named = write_rows(project, "good.star", rows[good].sample(frac=1, random_state=2))
    table, result = score(project, "Sort/job021", good_particles=named)
    assert auc(table["cryoflowLogOdds"], good) > 0.95
    assert f"from {good.sum()} good and {(~good).sum()} bad ones" in result.summary
    assert named in result.inputs and "Sort/job021/particles_model.json" in result.outputs
    job = context(project, "Sort/job024")
    again, _ = score(project, job=job, score_model="Sort/job021/particles_model.json")
    assert isinstance(job.report, Listener) and "trained on 3 of these micrographs" in job.report.warned[0]
    assert auc(again["cryoflowLogOdds"], good) > 0.99  # of what it has seen
    chances = read_star(project / "Sort/job021/scores_report.star")["probability"]
    assert isinstance(chances, pd.DataFrame) and chances["cryoflowLabelled"].sum() == len(rows)
    assert chances["cryoflowShareGood"].iloc[-1] > 0.8
    before, after = ((project / f"Sort/job0{n}/particles_model.json").read_bytes() for n in (21, 24))
    assert before == after


def test_folds_mix_micrographs_unless_labels_teach(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "teaches", lambda chance: True)
    monkeypatch.setattr(module, "LEAST", 20)
    folds: list[np.ndarray] = []
    for name in ("self_taught", "taught_by_labels"):
        taught = getattr(module, name)

        def noted(features: Any, teacher: Any, fold: Any, *rest: Any, taught: Any = taught) -> Any:
            folds.append(fold[fold >= 0].numpy())
            return taught(features, teacher, fold, *rest)

        monkeypatch.setattr(module, name, noted)
    rows = read_particles(project / PARTICLES).rows
    score(project, "Sort/job028")
    score(project, "Sort/job029", good_particles=write_rows(project, "good.star", rows[truth(rows, project)]))
    mixed, whole = (pd.crosstab(rows["rlnMicrographName"], fold).to_numpy() for fold in folds)
    assert mixed.shape == (3, 4) and (mixed > 0).all() and np.ptp(mixed.sum(0)) <= 1
    assert ((whole > 0).sum(0) == 1).all() and ((whole > 0).sum(1) == 1).all()


def test_labels_come_from_tables_and_classes(project: Path) -> None:
    particles = read_particles(project / PARTICLES)
    rows = particles.rows
    number = np.arange(len(rows))
    good = write_rows(project, "good.star", rows[number % 3 == 0].sample(frac=1, random_state=2))
    bad = write_rows(project, "bad.star", rows[number % 3 == 1])
    classed = write_rows(project, "classed.star", rows.assign(rlnClassNumber=number % 3)[number < 30])
    unknown = np.where(number % 3 == 1, 0, np.nan)
    cases: tuple[tuple[dict[str, Any], np.ndarray], ...] = (
        ({"good_particles": good}, (number % 3 == 0).astype(float)),
        ({"good_particles": good, "bad_particles": bad}, np.where(number % 3 == 0, 1, unknown)),
        ({"good_particles": classed, "good_classes": [0, 2]}, np.where(number < 30, number % 3 != 1, np.nan)),
    )
    for given, expected in cases:
        found = read_labels(Scores(learnt_scores=True, **given), context(project, "Sort/job022"), particles)
        assert found is not None
        np.testing.assert_array_equal(found, expected)


def test_labels_of_no_use_are_told(project: Path) -> None:
    rows = read_particles(project / PARTICLES).rows
    few = write_rows(project, "few.star", rows[:7])
    with pytest.raises(CryoflowError, match="7 good particles, 0 without those of the fullest quarter"):
        score(project, "Sort/job025", good_particles=few)
    with pytest.raises(FileError, match=r"labels none of the particles of .* bad"):
        score(project, "Sort/job025", good_particles=PARTICLES)
    with pytest.raises(FileError, match="labels 7 particles both good and bad"):
        score(project, "Sort/job025", good_particles=few, bad_particles=PARTICLES)
    other = write_rows(project, "other.star", rows.assign(rlnImageName="1@other.mrcs"))
    with pytest.raises(FileError, match=r"labels none of the particles of .* good"):
        score(project, "Sort/job025", good_particles=other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a particle score model"),
        ("[1]", "is not a particle score model"),
        ('{"format": "x"}', "its format is 'x', not 'cryoflow particle score 2'"),
        ('{"format": "cryoflow particle score 2", "features": {"a": 1}}', "uses other features than this"),
    ],
)
def test_files_that_are_no_model(project: Path, text: str, message: str) -> None:
    (project / "model.json").write_text(text)
    with pytest.raises(FileError, match=message):
        score(project, "Sort/job026", score_model="model.json")


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({"learnt_scores": False, "score_model": "a.json"}, "has no effect without scores.learnt_scores"),
        ({"good_particles": "a.star", "score_model": "a.json"}, "either given or learnt from labels"),
        ({"bad_particles": "a.star"}, "needs scores.good_particles as well"),
        (
            {"good_particles": "a.star", "bad_particles": "b.star", "good_classes": [1]},
            "the other classes are",
        ),
    ],
)
def test_fields_that_do_not_go_together(scores: dict[str, Any], message: str) -> None:
    io = {"input_particles_to_be_sorted": PARTICLES, "autopicking_references": REFERENCES}
    with pytest.raises(CryoflowError, match=message):
        parse_spec({"job": "Sort", "io": io, "scores": {"learnt_scores": True, **scores}})


def second_renamed(project: Path, name: str) -> tuple[pd.DataFrame, pd.Series]:
    """Write ``name.star``, with the second micrograph renamed to ``name.mrc``; its rows, and which."""
    rows = read_particles(project / PARTICLES).rows
    second = rows["rlnMicrographName"] == "Micrographs/mic002.mrc"
    rows.loc[second, "rlnMicrographName"] = f"Micrographs/{name}.mrc"
    write_star(project / f"{name}.star", {"": rows})
    return rows, second


def test_a_bad_micrograph_does_not_stop_the_rest(project: Path) -> None:
    rows, gone = second_renamed(project, "gone")
    table, result = score(project, "Sort/job016", "gone.star")
    assert [failure.item for failure in result.failures] == ["Micrographs/gone.mrc"]
    assert "its particles have no scores" in result.failures[0].message
    numbers = table["cryoflowProbability"].astype(float)
    assert numbers[gone].isna().all() and numbers[~gone].notna().all()
    write_star(project / "all.star", {"": rows[gone]})
    with pytest.raises(CryoflowError, match=r"no micrograph could be scored; Micrographs/gone.mrc"):
        score(project, "Sort/job017", "all.star")


def test_a_header_that_nobody_set_is_no_pixel_size(project: Path) -> None:
    write_mrc(project / "Micrographs/unset.mrc", read_image(project / "Micrographs/mic002.mrc"), 1.0)
    _, here = second_renamed(project, "unset")
    _, result = score(project, "Sort/job031", "unset.star")
    assert [failure.item for failure in result.failures] == ["Micrographs/unset.mrc"]
    assert "header's pixel size of 1 A looks unset" in result.failures[0].message
    same, result = score(project, "Sort/job032", "unset.star", micrograph_pixel_size=OPTIONS.pixel_size)
    assert not result.failures and same.loc[here, "cryoflowNcc"].notna().all()


def test_what_is_missing_is_told_before_anything_is_done(project: Path) -> None:
    rows = read_particles(project / PARTICLES).rows
    write_star(project / "nameless.star", {"": rows.drop(columns="rlnMicrographName")})
    with pytest.raises(FileError, match="lacks the column rlnMicrographName"):
        score(project, "Sort/job018", "nameless.star")
    write_mrc(project / "full.mrcs", np.random.default_rng(1).normal(size=(1, 48, 48)).astype("f4"), 4.0)
    io = {"input_particles_to_be_sorted": PARTICLES, "autopicking_references": "full.mrcs"}
    spec = parse_spec({"job": "Sort", "io": io, "scores": {"learnt_scores": True}})
    with pytest.raises(FileError, match=r"no mask to measure a diameter; give one, e.g. scores.p"):
        run(spec, context(project, "Sort/job018"))
    assert not (project / "Sort/job018/particles_sort.star").exists()


def test_the_pixel_size_may_be_given(project: Path) -> None:
    table, _ = score(project)
    same, _ = score(project, "Sort/job019", micrograph_pixel_size=OPTIONS.pixel_size)
    np.testing.assert_allclose(table["cryoflowNcc"], same["cryoflowNcc"], atol=1e-3)
