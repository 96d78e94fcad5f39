"""Errors as JSON: ``{"error": {"code", "message", "next_step"}}``, never a traceback."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from beholden.access.refusal import TooManyAttemptsError
from beholden.model.errors import BeholdenError

log = structlog.get_logger()

# Every code the API can answer with and does not find here is 422: the request cannot be carried out.
STATUS = {
    "not_signed_in": 401,
    "sign_in_refused": 401,
    "wrong_password": 403,
    "not_permitted": 403,
    "cross_site": 403,
    "camera_not_found": 404,
    "event_not_found": 404,
    "hold_not_found": 404,
    "volume_not_found": 404,
    "not_recorded": 404,
    "gone": 499,
    "session_not_found": 404,
    "place_not_found": 404,
    "rule_not_found": 404,
    "backtest_not_found": 404,
    "missed_not_found": 404,
    "place_in_use": 409,
    "ground_in_use": 409,
    "changed_meanwhile": 409,
    "rule_not_tested": 409,
    "not_found": 404,
    "name_taken": 409,
    "hold_released": 409,
    "volume_taken": 409,
    "volume_foreign": 409,
    "too_large": 413,
    "not_json": 415,
    "too_many_attempts": 429,
    "catalog_corrupt": 503,
    "catalog_newer": 503,
    "catalog_unavailable": 503,
    "no_catalog": 503,
    "bus_unreachable": 503,
    "bus_timeout": 503,
    "bus_closed": 503,
    "wrong_secret_key": 503,
    "busy": 503,
    "took_too_long": 503,
    "wrong_host": 421,
}
_HTTP = {
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not do that."),
    413: ("too_large", "The request is too large."),
}


def refusal(error: BeholdenError) -> JSONResponse:
    """The answer for an expected failure."""
    status = STATUS.get(error.code, 422)
    headers = {"Retry-After": str(error.wait_seconds)} if isinstance(error, TooManyAttemptsError) else {}
    return _answer(status, error.code, error.message, error.next_step, headers)


async def on_beholden_error(_request: Request, error: Exception) -> JSONResponse:
    """For FastAPI."""
    assert isinstance(error, BeholdenError)
    return refusal(error)


async def on_http_exception(_request: Request, error: Exception) -> JSONResponse:
    """For FastAPI: what the router itself refuses."""
    assert isinstance(error, HTTPException)
    code, message = _HTTP.get(error.status_code, (f"http_{error.status_code}", "The request was refused."))
    return _answer(error.status_code, code, message, "", dict(error.headers or {}))


async def on_bad_request(_request: Request, error: Exception) -> JSONResponse:
    """For FastAPI: which field is wrong and why, never what was sent (it may be a password)."""
    assert isinstance(error, RequestValidationError)
    found = error.errors() or [{"loc": (), "msg": "not understood"}]
    first: dict[str, Any] = dict(found[0])
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    reason = str(first["msg"]).removeprefix("Value error, ")
    message = f"{place or 'The request'}: {reason}."
    return _answer(422, "bad_request", message, "Correct it and try again.", {})


class ErrorBoundary:
    """The outermost layer: what was not foreseen becomes one plain sentence, and a log line with where."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] in ("http.response.start", "websocket.accept")
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except BeholdenError as error:
            log.warning("request failed", path=scope.get("path"), code=error.code, cause=str(error))
            await self._end(scope, receive, send, started, refusal(error))
        except Exception as error:
            # The last frame before the server: a defect must reach the log with its place, and the
            # person asking must get an answer that is not a traceback.
            if scope["type"] == "lifespan":
                raise
            log.exception("request failed", path=scope.get("path"), cause=type(error).__name__)
            sentence = "Something went wrong in Beholden."
            answer = _answer(500, "internal_error", sentence, "The log says what.", {})
            await self._end(scope, receive, send, started, answer)

    async def _end(
        self, scope: Scope, receive: Receive, send: Send, started: bool, answer: JSONResponse
    ) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1011, "reason": ""})
        elif not started:
            await answer(scope, receive, send)


def _answer(status: int, code: str, message: str, next_step: str, headers: dict[str, str]) -> JSONResponse:
    body = {"error": {"code": code, "message": message, "next_step": next_step}}
    return JSONResponse(body, status_code=status, headers={"Cache-Control": "no-store", **headers})
