"""Why something is refused, in the words a person reads."""

from __future__ import annotations

from beholden.model.errors import BeholdenError


class NotPermittedError(BeholdenError):
    """The account has no right to this. Says nothing about whether the thing exists."""

    def __init__(self, message: str = "Your account may not do this.") -> None:
        super().__init__("not_permitted", message, "Ask an administrator of this site for the right.")


class NoSuchCameraError(BeholdenError):
    """There is and was no camera of that number."""

    def __init__(self, camera: int) -> None:
        super().__init__(
            "camera_not_found", f"There is no camera {camera}.", "Choose one from the list of cameras."
        )


class SignInRefusedError(BeholdenError):
    """A wrong name, password or link; which of them is not said."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__("sign_in_refused", message, next_step)


class TooManyAttemptsError(BeholdenError):
    """Sign-in has failed too often; ``wait_seconds`` until the next try is heard."""

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(
            "too_many_attempts",
            "Signing in has failed too often from here.",
            f"Wait {wait_seconds} s and try again.",
        )
        self.wait_seconds = wait_seconds
