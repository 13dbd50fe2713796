"""The page of a job that can be mailed: what it holds, how large it is, and that names cannot harm."""

import base64
import io
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cryoflow.project.record import write_record
from cryoflow.spec import parse_spec, spec_dump
from cryoflow.view.report import REPORT, write_report

HOSTILE = "m</li><script>alert(1)</script>\"'&.mrc"


class Page(HTMLParser):
    """Tags with their attributes, and the text outside of the style sheet."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def record(**changed: object) -> dict[str, Any]:
    spec = parse_spec(
        {
            "job": "Select",
            "io": {"select_from_particles_star": HOSTILE},
            "subsets": {"maximum_metadata_value": 2},
        }
    )
    known: dict[str, Any] = {
        "command": "cryoflow run a.yaml",
        "counts": {"particles": 7, "resolution_a": 17.1},
        "device": "cpu",
        "error": None,
        "failures": [],
        "inputs": [{"path": HOSTILE, "sha256": "0", "size": 1}],
        "outputs": [],
        "seed": 3,
        "spec": spec_dump(spec),
        "status": "succeeded",
        "threads": 2,
        "timings": {"seconds": {"job": 1.25}, "started": "2026-01-02T03:04:05+00:00"},
        "versions": {"cryoflow": "0.1.0"},
    }
    return known | changed


def page(directory: Path, known: Mapping[str, Any]) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    write_record(directory, known)
    assert write_report(directory) == directory / REPORT
    return (directory / REPORT).read_text()


@pytest.fixture
def job(tmp_path: Path) -> Path:
    directory = tmp_path / "Select/job014"
    directory.mkdir(parents=True)
    (directory.parent / "after_sort").symlink_to("job014")
    return directory


def test_the_page_states_what_a_job_was_and_found(job: Path) -> None:
    (job / "run.out").write_text("warning: one is dark\nall fine\nwarning: one is dark\n")
    found = Page(page(job, record()))
    text = " ".join(word for word in found.texts if word.strip())
    for expected in (
        "Select/job014 (after_sort)  succeeded",
        "particles 7 resolution (A) 17.1",
        "Warnings (1) one is dark",
        "subsets.maximum_metadata_value 2.0",
        "job 1.2 s",
        "cpu, 2 threads, seed 3",
        "cryoflow 0.1.0",
    ):
        assert expected in text
    assert "all fine" not in text and "minimum_metadata_value" not in text


def test_names_of_strangers_are_text(job: Path) -> None:
    failures = [{"item": HOSTILE, "message": "<img src=x onerror=alert(1)>"}]
    Image.new("RGB", (4, 4)).save(job / "a'b\"<b>.png")
    found = Page(page(job, record(failures=failures, error="<b>", command="<i>")))
    tags = {tag for tag, _ in found.tags}
    assert not tags & {"script", "b", "i", "link", "iframe"} and "onerror" not in str(found.tags)
    assert any(HOSTILE in text for text in found.texts)
    assert [attributes["alt"] for tag, attributes in found.tags if tag == "img"] == ["a'b\"<b>.png"]


def test_nothing_is_fetched_from_elsewhere(job: Path) -> None:
    Image.new("RGB", (4, 4)).save(job / "a.png")
    text = page(job, record())
    assert not re.search(r"https?://|url\(|@import", text)
    sources = [attributes["src"] or "" for tag, attributes in Page(text).tags if tag == "img"]
    assert [source.partition(",")[0] for source in sources] == ["data:image/png;base64"]


def test_pictures_are_inlined_while_the_page_can_be_mailed(job: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (1000, 1000, 3), np.uint8)
    for number in range(5):
        Image.fromarray(noise).save(job / f"noise{number}.png")
    text = page(job, record())
    assert len(text) < 2_000_000
    sources = [attributes["src"] or "" for tag, attributes in Page(text).tags if tag == "img"]
    assert sources and text.count(": in the job directory") == 5 - len(sources)
    kind, data = sources[0].split(",", 1)
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert kind == "data:image/jpeg;base64" and picture.size == (1000, 1000)
        assert abs(np.asarray(picture).mean() - noise.mean()) < 2


def test_pictures_that_cannot_be_read_or_lie_elsewhere_are_left_out(job: Path) -> None:
    (job / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (4, 4)).save(job.parent / "private.png")
    (job / "linked.png").symlink_to(job.parent / "private.png")
    text = page(job, record())
    assert "broken.png: in the job directory" in text and "linked.png" not in text and "<img" not in text


def test_the_first_fifty_failures_are_listed(job: Path) -> None:
    failures = [{"item": f"mic{number}.mrc", "message": "broken"} for number in range(60)]
    text = page(job, record(failures=failures, status="partial"))
    assert "Failures (60)" in text and "mic49.mrc: broken" in text and "mic50.mrc" not in text
    assert "<p>and 10 more</p>" in text


def test_the_same_job_has_the_same_page(job: Path) -> None:
    Image.new("RGB", (4, 4)).save(job / "a.png")
    assert page(job, record()) == page(job, record())
