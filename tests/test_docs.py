"""The generated parts of the documentation, and the version that is cited."""

import importlib.util
from pathlib import Path

import pytest
import yaml

import cryoflow
from cryoflow.spec import SPEC_CLASSES

ROOT = Path(__file__).parents[1]

found = importlib.util.spec_from_file_location("docs_hooks", ROOT / "scripts" / "docs_hooks.py")
assert found is not None and found.loader is not None
hooks = importlib.util.module_from_spec(found)
found.loader.exec_module(hooks)


def test_every_field_of_every_job_has_its_row() -> None:
    page = hooks.on_page_markdown("before <!-- generated: fields --> after")
    assert page.startswith("before ") and page.endswith(" after")
    rows = [
        line.split(" | ")[1].strip("`") for line in page.splitlines() if line.startswith("| ") and "`" in line
    ]
    declared = [
        name
        for job in SPEC_CLASSES.values()
        for tab in job.sections().values()
        for name in tab.declarations()
    ]
    assert rows == declared


def test_the_picture_and_the_page_of_the_architecture_show_every_package() -> None:
    picture, page = hooks.layer_picture(), (ROOT / "docs" / "architecture.md").read_text()
    folder = Path(cryoflow.__file__).parent
    for package in (path.parent.name for path in folder.glob("*/__init__.py")):
        assert f">{package}</text>" in picture and f"| `{package}` |" in page, package


def test_formulas_become_mathml_and_nothing_else_changes() -> None:
    pytest.importorskip("latex2mathml")
    html = '<p>a <span class="arithmatex">\\(x &lt; y_1\\)</span> \\(z\\)</p>'
    drawn = hooks.on_page_content(html)
    assert drawn.startswith("<p>a <math") and drawn.endswith("</math> \\(z\\)</p>")
    assert "<mo>&lt;</mo>" in drawn or "<mo>&#x0003C;</mo>" in drawn


def test_the_citation_and_the_changelog_name_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == cryoflow.__version__
    assert f"## [{cryoflow.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
