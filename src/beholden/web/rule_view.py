"""Rules as the API takes and shows them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from beholden.catalog.rules import Tested, as_json
from beholden.model.event import ObjectClass
from beholden.model.rule import CameraFault, Direction, Rule, RuleKind, Severity, Window
from beholden.model.site import SiteMode
from beholden.model.time import to_rfc3339
from beholden.web.number import Id

Name = Annotated[str, Field(max_length=200)]
Part = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class WindowBody(BaseModel):
    """A stretch of each week; Monday is 0, minutes by the site's wall clock."""

    model_config = ConfigDict(extra="forbid")

    weekday: Annotated[int, Field(ge=0, le=6)]
    from_minute: Annotated[int, Field(ge=0, lt=1440)]
    to_minute: Annotated[int, Field(gt=0, le=1440)]


class RuleChange(BaseModel):
    """What is absent stays. ``untested`` lets a rule be switched on that was not back-tested as it is."""

    model_config = ConfigDict(extra="forbid")

    name: Name = ""
    place: Id | None = None
    enabled: bool = False
    severity: Severity = Severity.NOTE
    min_seconds: Seconds = 0.0
    cooldown_seconds: Seconds = 0.0
    classes: Annotated[list[ObjectClass], Field(max_length=20)] = []
    min_size: Part = 0.0
    max_size: Part = 1.0
    min_score: Part = 0.5
    schedule: Annotated[list[WindowBody], Field(max_length=168)] = []
    modes: Annotated[list[SiteMode], Field(max_length=3)] = []
    direction: Direction = Direction.BOTH
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    speed_kmh: Annotated[float, Field(gt=0, le=400, allow_inf_nan=False)] = 50.0
    heading: Annotated[float, Field(ge=0, lt=360, allow_inf_nan=False)] | None = None
    faults: Annotated[list[CameraFault], Field(max_length=4)] = []
    level_db: Annotated[float, Field(ge=-90, le=0, allow_inf_nan=False)] = -20.0
    rev: Id | None = None
    untested: bool = False

    def fields(self, names: Collection[str]) -> dict[str, Any]:
        """Those of its settings that are in ``names``, as ``model.rule.Rule`` has them."""
        given = {name: getattr(self, name) for name in names if name not in ("rev", "untested", "kind")}
        if "schedule" in given:
            given["schedule"] = tuple(
                Window(each.weekday, each.from_minute, each.to_minute) for each in self.schedule
            )
        for many in ("classes", "modes", "faults"):
            if many in given:
                given[many] = tuple(dict.fromkeys(given[many]))
        return given


class RuleBody(RuleChange):
    """A new rule, or a draft to be back-tested."""

    name: Name
    kind: RuleKind

    def rule(self, camera: int) -> Rule:
        """The rule it describes, not yet stored."""
        return Rule(id=0, camera=camera, kind=self.kind, **self.fields(RuleChange.model_fields))


def show_rule(rule: Rule, tested: Tested | None) -> dict[str, Any]:
    """One."""
    return {
        **as_json(rule),
        "schedule": [
            {"weekday": item.weekday, "from_minute": item.from_minute, "to_minute": item.to_minute}
            for item in rule.schedule
        ],
        "changed": to_rfc3339(rule.changed_ms),
        "tested": None
        if tested is None
        else {"backtest": tested.backtest, "at": to_rfc3339(tested.ended_ms)},
    }
