"""An event as the API shows it. What, where and when; there is no who."""

from __future__ import annotations

from typing import Any

from beholden.catalog.events import Reviewable
from beholden.model.event import RuleHit
from beholden.model.time import to_rfc3339
from beholden.web.instants import show


def show_event(item: Reviewable) -> dict[str, Any]:
    """One event."""
    event = item.event
    return {
        "id": event.id,
        "camera": event.camera,
        "kind": event.kind.value,
        "start": to_rfc3339(event.start_ms),
        "end": show(event.end_ms),
        "score": round(event.score, 3),
        "box": {
            "left": event.box.left,
            "top": event.box.top,
            "right": event.box.right,
            "bottom": event.box.bottom,
        },
        **show_hit(event.hit),
        "has_still": event.still_size > 0,
        "reviewed": item.reviewed,
        "verdict": item.verdict.value if item.verdict is not None else None,
    }


def show_hit(hit: RuleHit | None) -> dict[str, Any]:
    """What a rule says; all of it null, and a note, when an object was in view and no rule asked."""
    if hit is None:
        return {"rule": None, "what": None, "place": None, "severity": "note", "detail": {}}
    return {
        "rule": hit.rule,
        "what": hit.what,
        "place": hit.place,
        "severity": hit.severity,
        "detail": dict(hit.detail),
    }
