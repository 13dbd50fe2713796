"""The recommended specs: a chain that starts without numbers, and needs no clicking."""

from itertools import pairwise
from pathlib import Path

from cryoflow.launch.chain.steps import read_chain
from cryoflow.spec import AutoPick, Select, Sort

CHAIN = Path(__file__).parents[2] / "specs" / "recommended.yaml"


def test_each_step_feeds_the_next_by_alias() -> None:
    steps = read_chain(str(CHAIN))
    assert [Path(step.source).name[:2] for step in steps] == ["10", "11", "12", "13", "14", "15", "16"]
    assert all(step.spec.number is None and step.spec.alias for step in steps)
    aliases = [str(step.spec.alias) for step in steps]
    assert len(set(aliases)) == 7 and all(alias.startswith("recommended_") for alias in aliases)
    for feeder, fed in pairwise(steps[1:]):
        assert f"{feeder.title}/" in str(fed.spec.model_dump())


def test_scores_choose() -> None:
    specs = [step.spec for step in read_chain(str(CHAIN))]
    picks = [spec for spec in specs if isinstance(spec, AutoPick)]
    assert {spec.autopicking.figure_of_merit for spec in picks} == {"ncc"}
    assert all(spec.statistics.decoys for spec in picks)
    assert [spec.scores.learnt_scores for spec in specs if isinstance(spec, Sort)] == [True]
    cuts = [spec.selection for spec in specs if isinstance(spec, Select)]
    assert [(cut.probability_min, cut.class_score_min) for cut in cuts] == [(0.5, None), (None, 0.5)]
