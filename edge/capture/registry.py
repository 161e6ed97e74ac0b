"""The kinds of camera. To add one, write its file and add its KIND to the list."""

from edge.bare_address import address_meant
from edge.capture import picamera, recording, stream, v4l2
from edge.capture.camera import Camera, CameraKind, FoundCamera
from edge.config.camera import CameraSettings, scheme_of
from edge.errors import ConfigError

KINDS: tuple[CameraKind, ...] = (picamera.KIND, v4l2.KIND, stream.KIND, recording.KIND)
"""The first kind that takes a source gets it."""


def kind_of(source: str) -> CameraKind | None:
    """Return the kind of camera that a source names; None when it has no known form."""
    return next((kind for kind in KINDS if kind.takes(source)), None)


def open_camera(settings: CameraSettings) -> Camera:
    """Open the camera or recording that the settings name.

    Raises CameraError, and ConfigError for what waiting cannot fix: a source of no known form, no password file.
    """
    kind = kind_of(settings.source)
    if kind is None:
        raise ConfigError(_unknown(settings))
    return kind.open(settings)


def describe(settings: CameraSettings) -> str:
    """Return the source as it may be shown and logged, without anything that looks like a password."""
    source = settings.source
    kind = kind_of(source)
    if kind is not None:
        return kind.shown(source)
    if meant := address_meant(source):
        # It may hold a login, or a token.
        return meant.partition("://")[2]
    scheme = scheme_of(source)
    return f"{scheme}:..." if scheme and any(mark in source for mark in "/@?=") else source


def notice(settings: CameraSettings) -> str:
    """Return a sentence that the camera's owner should know, or an empty text."""
    kind = kind_of(settings.source)
    return kind.notice(settings) if kind else ""


def advice(settings: CameraSettings) -> str:
    """Return what to do about the notice, or an empty text. The camera may be asked, which can take seconds."""
    kind = kind_of(settings.source)
    return kind.advice(settings) if kind else ""


def discover_cameras() -> list[FoundCamera]:
    """Return every camera that is plugged into this machine."""
    return [camera for kind in KINDS for camera in kind.discover()]


def _unknown(settings: CameraSettings) -> str:
    *forms, last = (kind.forms for kind in KINDS)
    meant = next(filter(None, (kind.suggest(settings.source) for kind in KINDS)), None)
    hint = f"; did you mean `{meant}`?" if meant else ""
    return f"camera.source: found {describe(settings)!r}; allowed: {', '.join(forms)}, or {last}{hint}"
