"""What no model may give: who somebody is, or what kind of person.

A model is refused when any of its names says so. Names can lie, therefore a family (``nanodet.py``)
also accounts for the shape of every output: an output that is neither class scores nor boxes is refused
whatever it is called.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from beholden.model.errors import BeholdenError

_REASONS = {
    "who somebody is": (
        "identity identities identification identify identifier recognition recognise recognize reid "
        "reidentification embedding embeddings embed arcface cosface facenet insightface faceid personid"
    ),
    "features of a face": (
        "faceattribute faceattributes facialattribute facialattributes beard eyeglasses skin skintone"
    ),
    "race or ethnicity": (
        "race races racial ethnicity ethnicities ethnic asian caucasian hispanic latino latina"
    ),
    "gender": "gender genders sex male female man men woman women boy girl",
    "age": "age ages adult adults child children kid kids baby toddler teenager elderly senior",
    "emotion": (
        "emotion emotions mood expression expressions sentiment happy happiness sad sadness angry anger "
        "fear disgust surprise contempt"
    ),
}
_WORDS = {word: reason for reason, words in _REASONS.items() for word in words.split()}
# What TensorFlow calls an output nobody named. It says nothing; the shape check decides.
_UNNAMED = re.compile(r"(\w+/)?Identity(_\d+)?(:\d+)?")


class ModelRefusedError(BeholdenError):
    """A model that may not be loaded here, and why."""


def refuse_names(model: str, names: Iterable[str]) -> None:
    """Raise ModelRefusedError when one of the names of classes or outputs says what must not be known."""
    for name in names:
        reason = forbidden(name)
        if reason is not None:
            raise refused(model, f"it gives {name!r}, which tells {reason}")


def refused(model: str, why: str) -> ModelRefusedError:
    """The refusal, told in words."""
    return ModelRefusedError(
        "model_refused",
        f"The model {model} is refused: {why}. Beholden does not identify anyone or judge kinds of people.",
        "Use a model that finds things (people, vehicles, animals) and nothing about who they are.",
    )


def forbidden(name: str) -> str | None:
    """What a name would tell, or None when it is harmless."""
    if _UNNAMED.fullmatch(name):
        return None
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    pairs = [first + second for first, second in itertools.pairwise(words)]
    return next((_WORDS[word] for word in (*words, *pairs) if word in _WORDS), None)
