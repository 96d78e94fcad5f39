"""What Beholden never does, held by looking at all of it: dependencies, tables, API, models, code.

Identifying or re-identifying people, computing or storing an embedding of a person, inferring race,
ethnicity, gender, age or emotion, scoring people. Each test fails when such a thing appears, and each
word list is tried on a sample that must be refused, so that none of them can pass by being blind.
"""

from __future__ import annotations

import ast
import itertools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from beholden.catalog import Catalog
from beholden.catalog.secrets import SecretBox
from beholden.catalog.tables import metadata
from beholden.model.event import Disturbance, ObjectClass
from beholden.web.compose import compose

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "beholden"

# Names of things that say who somebody is or what kind of person.
FORBIDDEN_WORDS = re.compile(
    r"(^|_)(embedding|embeddings|reid|re_id|faceid|face_id|face_name|identity_of|person_id|person_name|person_uuid"
    r"|gait|voiceprint|faceprint|biometric|biometrics|race|ethnicity|ethnic|skin_tone|gender|sex|age|age_group"
    r"|emotion|emotions|mood|sentiment|suspect|suspicion|threat_score|risk_score|attractiveness|appearance_vector"
    r"|plate_text|plate_number|license_plate|clothing|watchlist)($|_)",
)

# Libraries whose purpose is one of these.
FORBIDDEN_PACKAGES = re.compile(
    r"^(face[-_]?recognition|facenet.*|insightface|deepface|dlib|torchreid|fast[-_]?reid|speechbrain|resemblyzer|pyannote.*"
    r"|fer|py[-_]?feat|arcface.*|open[-_]?clip.*|clip[-_].*|sentence[-_]transformers|fastembed|retinaface.*|mtcnn.*|easyocr"
    r"|paddleocr|pytesseract|tesserocr|fast[-_]alpr|openalpr|opentelemetry[-_](sdk|exporter).*)$",
    re.IGNORECASE,
)


def identifiers(path: Path) -> Iterator[tuple[str, int]]:
    """Every name a module defines or takes: functions, classes, arguments, attributes, variables, keys."""
    for node in ast.walk(ast.parse(path.read_text())):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, line
        elif isinstance(node, ast.arg):
            yield node.arg, line
        elif isinstance(node, ast.Attribute):
            yield node.attr, line
        elif isinstance(node, ast.Name):
            yield node.id, line
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg, line


def snake(name: str) -> str:
    """``FaceId`` and ``faceID`` as ``face_id``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


# `age` of a fragment and of a cookie are ages of things. Each exception is one name, not a pattern.
AGES_OF_THINGS = {
    "max_age",
    "max_age_seconds",
    "fragment_age_seconds",
    "last_fragment_age_seconds",
    "frame_age_ms",
    "age_ms",
    "age_seconds",
    "age",
    "_age",
}


def forbidden(name: str) -> bool:
    """Whether a name says who somebody is or what kind of person."""
    flat = snake(name)
    return flat not in AGES_OF_THINGS and FORBIDDEN_WORDS.search(flat) is not None


@pytest.mark.parametrize(
    "name", ["faceEmbedding", "person_id", "gender", "ageGroup", "ethnicity", "plate_text", "reid"]
)
def test_the_word_list_sees(name: str) -> None:
    """The list is not blind."""
    assert forbidden(name)


def test_no_table_has_a_place_for_who() -> None:
    """No table or column could hold an identity, an embedding or a kind of person."""
    names = [(table.name, column.name) for table in metadata.sorted_tables for column in table.columns]
    assert [pair for pair in names if any(forbidden(part) for part in pair)] == []


def test_no_code_names_it() -> None:
    """No function, argument, field or variable of the product is about who somebody is.

    The one exception is the refusal itself, which must name what it refuses.
    """
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in sorted(SOURCE.rglob("*.py"))
        for name, line in identifiers(path)
        if forbidden(name)
    ]
    assert found == []


def test_no_dependency_does_it() -> None:
    """Nothing pinned, nothing declared, is a library for identifying or judging people, or an exporter."""
    pinned = re.findall(r"^([A-Za-z0-9_.-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = [*project["project"]["dependencies"], *itertools.chain(*project["dependency-groups"].values())]
    names = pinned + [re.split(r"[<>=\[; ]", str(item))[0] for item in declared]
    assert len(pinned) > 50
    assert [name for name in names if FORBIDDEN_PACKAGES.match(name)] == []
    assert FORBIDDEN_PACKAGES.match("insightface")


def test_events_have_classes_of_things_only() -> None:
    """What an event can be about is a closed list; kinds of people are not in it."""
    assert {kind.value for kind in ObjectClass} == {
        "person",
        "bicycle",
        "car",
        "motorcycle",
        "bus",
        "truck",
        "animal",
        "bag",
    }
    assert {kind.value for kind in Disturbance} == {"camera", "sound"}


def test_the_api_has_no_field_for_it(tmp_path: Path) -> None:
    """No path, parameter or field of the HTTP API is about who somebody on film is."""
    catalog = Catalog.open(tmp_path)
    schema = compose(tmp_path, catalog, SecretBox.open(tmp_path)).openapi()
    catalog.close()
    names = list(api_names(schema))
    assert len(names) > 40
    assert [name for name in names if forbidden(name)] == []


def api_names(node: object) -> Iterator[str]:
    """Every key of properties and every parameter name and path part in an OpenAPI document."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "properties" and isinstance(value, dict):
                yield from value
            if key == "paths" and isinstance(value, dict):
                for path in value:
                    yield from (part.strip("{}") for part in path.split("/") if part)
            if key == "parameters" and isinstance(value, list):
                yield from (item["name"] for item in value if "name" in item)
            yield from api_names(value)
    elif isinstance(node, list):
        for item in node:
            yield from api_names(item)


def test_the_shipped_model_finds_things_only() -> None:
    """The default detector's card lists classes and boxes as its only outputs."""
    cards = sorted((SOURCE / "analyse" / "detect" / "models").glob("*.toml"))
    assert cards
    for card in cards:
        text = card.read_text()
        names = re.findall(r"[A-Za-z_]+", text)
        assert [name for name in names if forbidden(name)] == []
