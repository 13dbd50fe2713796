"""What a record of a job or of a sweep must contain, as read from a file of this or an earlier version."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

#: Version of the form of records; those before it had no number.
FORMAT = 1


def _text(value: Any) -> str:
    """Text with bytes that need not be UTF-8, as names of files have; Pydantic's own type refuses these."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("expected text")
    return value


Text = Annotated[Any, BeforeValidator(_text)]


class _Model(BaseModel):
    """Keys of later versions are kept."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=True)


class RecordedFile(_Model):
    """An input or output with its size and hash then; both ``None`` where it did not exist."""

    path: Text
    size: int | None = None
    sha256: Text | None = None


class RecordedFailure(_Model):
    """An item that was skipped."""

    item: Text
    message: Text


class Timings(_Model):
    """When the job started, and how long what took."""

    seconds: dict[str, float] = {}
    started: str = ""


class JobRecord(_Model):
    """``job_record.yaml``; what earlier versions did not write gets its neutral value."""

    format: int = Field(default=FORMAT, ge=0, le=FORMAT)
    command: Text = ""
    counts: dict[str, int | float] = {}
    device: str = "cpu"
    error: Text | None = None
    failures: list[RecordedFailure] = []
    inputs: list[RecordedFile] = []
    outputs: list[RecordedFile] = []
    seed: int | None = None
    spec: dict[str, Any]
    status: Literal["running", "succeeded", "partial", "failed"] = "running"
    sweep: str | None = None
    threads: int | None = None
    timings: Timings = Timings()
    versions: dict[str, str] = {}

    @model_validator(mode="after")
    def _spec_names_a_job(self) -> JobRecord:
        if not isinstance(self.spec.get("job"), str):
            raise ValueError("its spec names no job")
        return self


class SweepPoint(_Model):
    """How a point ended."""

    job: str
    code: int = Field(ge=0, le=2)


class SweepRecord(_Model):
    """``sweep_record.yaml``."""

    format: int = Field(default=FORMAT, ge=0, le=FORMAT)
    command: Text = ""
    job: str
    points: list[list[Text]] = []
    jobs: list[SweepPoint] = []
    status: Literal["running", "ended"] = "running"
    best: str | None = None
    versions: dict[str, str] = {}


def checked(model: type[BaseModel], plain: Any) -> dict[str, Any]:
    """Return a record with all keys of its model.

    Raises
    ------
    ValueError
        In one line: the first key that is wrong, and how.
    """
    if not isinstance(plain, dict):
        raise ValueError("expected keys and values")
    try:
        return model.model_validate(plain).model_dump(exclude_none=False)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{where}: {first['msg']}".removeprefix(": ")) from None
    except RecursionError:
        raise ValueError("nested too deep") from None
