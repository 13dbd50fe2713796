"""Seeds depend on names, not on places."""

from hypothesis import given
from hypothesis import strategies as st

from cryoflow.seeds import seed_for


def test_values_are_fixed_for_good() -> None:
    assert seed_for(0) == 3456079177858693020
    assert seed_for(1, "class2d", "000001@a.mrcs") == 9129460714592199479


@given(st.integers(), st.lists(st.text(), min_size=1))
def test_seeds_differ_by_seed_and_names_and_their_grouping(seed: int, names: list[str]) -> None:
    value = seed_for(seed, *names)
    assert 0 <= value < 2**63
    assert value == seed_for(seed, *names)
    assert (
        len(
            {
                value,
                seed_for(seed + 1, *names),
                seed_for(seed, *names, ""),
                seed_for(seed, "/".join(names) + "x"),
            }
        )
        == 4
    )
    if len(names) > 1:
        assert value != seed_for(seed, names[0] + names[1], *names[2:])
