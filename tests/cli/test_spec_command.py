"""``cryoflow spec``: lists what is shipped, copies it, overwrites nothing."""

from pathlib import Path

import pytest

from cryoflow.cli import main
from cryoflow.launch.chain.steps import read_chain

SPECS = Path(__file__).parents[2] / "specs"


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_without_a_name_every_file_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec"]) == 0
    listed = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert {file for _, file in listed} == names(SPECS)
    assert all(file.startswith(name) for name, file in listed)


@pytest.mark.parametrize("name", ["recommended", "tutorial", "launcher"])
def test_copies_are_the_files_in_the_same_layout(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "folder"
    assert main(["spec", name, str(folder)]) == 0
    copied = names(folder)
    assert copied == {file for file in names(SPECS) if file.startswith(name)}
    assert all((folder / file).read_bytes() == (SPECS / file).read_bytes() for file in copied)
    assert capsys.readouterr().out.splitlines()[0] == str(folder / min(copied))


def test_the_copied_chain_reads_the_copied_steps(tmp_path: Path) -> None:
    main(["spec", "tutorial", str(tmp_path)])
    pick = tmp_path / "tutorial" / "11_template_based.yaml"
    pick.write_text(pick.read_text().replace("Picking threshold: 0 ", "Picking threshold: 0.7 "))
    steps = read_chain(str(tmp_path / "tutorial.yaml"))
    assert [step.spec.number for step in steps] == list(range(10, 17))
    assert steps[1].spec.model_dump()["autopicking"]["picking_threshold"] == 0.7


def test_an_existing_file_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "tutorial" / "14_after_sort.yaml"
    taken.parent.mkdir()
    taken.write_text("mine")
    assert main(["spec", "tutorial", str(tmp_path)]) == 2
    assert (
        capsys.readouterr().err == f"{taken}: exists already and is not overwritten; give another directory\n"
    )
    assert names(tmp_path) == {"tutorial/14_after_sort.yaml"} and taken.read_text() == "mine"
