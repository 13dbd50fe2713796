import torch

from cryoflow.compute.select.class_features import ClassFeatures
from cryoflow.learn.class_score import ClassEvidence, brightness, class_kinds, class_score

PARTICLE = {
    "members": 100, "contrast": 8.0, "edge_energy": 0.03, "roundness": 0.7, "centring": 0.1, "sharpness": 2.2,
    "strength": 1.0, "ssnr": 1.7,
}  # fmt: skip


def evidence(*changes: dict[str, float]) -> ClassEvidence:
    """A class of usual particles, then one with each set of changes."""
    rows = [PARTICLE, *({**PARTICLE, "members": 20, **change} for change in changes)]
    value = {name: torch.tensor([row[name] for row in rows]) for name in PARTICLE}
    features = ClassFeatures(*(value[name] for name in ClassFeatures._fields))
    return ClassEvidence(value["members"], features, value["ssnr"])


def test_kinds_and_scores_of_typical_classes() -> None:
    noise = {"contrast": 0.4, "edge_energy": 0.9, "strength": 0.4, "ssnr": 0.8}
    found = evidence(
        noise,
        {"contrast": 27.0, "edge_energy": 0.0, "roundness": 0.99, "strength": 4.0},
        {"contrast": 1.3, "edge_energy": 0.8, "roundness": 0.4, "strength": 5.0, "ssnr": 2.2},
        {"contrast": 1.4, "edge_energy": 0.4, "roundness": 0.14, "strength": 2.2},
        {**noise, "centring": 0.8},
        {"members": 0},
        {"strength": 0.0, "contrast": 0.0, "edge_energy": 1.0},
    )
    score = class_score(found)
    kinds = ["particle", "blank", "ice", "carbon", "filament", "off-centre", "empty", "empty"]
    assert class_kinds(found, score) == kinds
    assert score[0] > 0.75 and (score[1:] < 0.4).all() and (score[-2:] == 0).all()
    assert ((score >= 0) & (score <= 1)).all()


def test_brightness_is_told_against_the_classes_with_something_in_their_middle() -> None:
    found = evidence(
        *({"members": 500, "edge_energy": 0.9, "strength": 0.25} for _ in range(5)), {"strength": 2}
    )
    torch.testing.assert_close(brightness(found)[[0, 1, 6]].double(), torch.tensor([0.0, -2, 1]).double())
    noise = found.features._replace(edge_energy=torch.ones(7))
    blank = found._replace(features=noise)  # nothing but noise: the usual one is noise
    torch.testing.assert_close(brightness(blank)[1].double(), torch.tensor(0.0).double())


def test_the_usual_strength_is_that_of_the_upper_quartile_without_what_is_far_brighter() -> None:
    """Classes that noise has diluted are weaker, and ice is no measure."""
    found = evidence(
        {"members": 200, "strength": 0.6}, {"members": 20, "strength": 0.9}, {"members": 60, "strength": 4.0}
    )  # the usual class has 100 members of strength 1
    torch.testing.assert_close(brightness(found), torch.log2(torch.tensor([1.0, 0.6, 0.9, 4.0])))


def test_classes_with_three_quarters_of_the_particles_set_the_usual_strength() -> None:
    found = evidence({"members": 200}, {"members": 100, "strength": 1.5})  # 100 + 200 of 400 have strength 1
    torch.testing.assert_close(brightness(found), torch.log2(torch.tensor([1.0, 1.0, 1.5])))


def test_more_contrast_never_lowers_the_score_and_the_usual_strength_scores_best() -> None:
    steps = [0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 30.0]
    by_contrast = class_score(evidence(*({"contrast": step} for step in steps)))[1:]
    assert (by_contrast.diff() >= 0).all() and by_contrast[0] < 0.5 < by_contrast[-1]
    by_strength = class_score(evidence(*({"strength": step} for step in steps)))[1:]
    assert (by_strength[:3].diff() >= 0).all() and (by_strength[2:].diff() <= 0).all()


def test_all_classes_empty_or_flat() -> None:
    zero = torch.zeros(3).double()
    nothing = ClassEvidence(torch.zeros(3, dtype=torch.int64), ClassFeatures(*[zero] * 6), zero)
    assert class_score(nothing).tolist() == [0, 0, 0]
    assert class_kinds(nothing, class_score(nothing)) == ["empty"] * 3
