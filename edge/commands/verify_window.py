"""The window of `whosthere verify`: the picture, with box, landmarks, similarity and threshold."""

import os

import cv2

from edge.errors import UsageError
from edge.faces.annotate import Note, Tone, annotate
from edge.inspection.identity_check import CheckedLook, IdentityCheck
from edge.records import Image

TITLE = "whosthere verify"
ESCAPE = 27
MESH_FROM_PX = 100
"""The width of a face from which 468 points can be seen on it; they would cover a smaller one."""


class VerifyWindow:
    """Open until it is closed, or Esc or q is pressed."""

    def __init__(self) -> None:
        """Raises cv2.error where OpenCV cannot open windows."""
        cv2.namedWindow(TITLE, cv2.WINDOW_AUTOSIZE)

    def show(self, image: Image, look: CheckedLook, check: IdentityCheck, name: str) -> bool:
        """Show one picture; False: the window was closed."""
        cv2.imshow(TITLE, drawn(image, look, check, name))
        closed = cv2.waitKey(1) & 0xFF in {ESCAPE, ord("q")}
        return not closed and cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        cv2.destroyAllWindows()


def open_window(wanted: bool | None) -> VerifyWindow | None:
    """A window; None: it is not wanted, or nobody asked for it and there is no way to show one.

    Raises UsageError when it was asked for and cannot be shown.
    """
    display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) or os.name == "nt"
    if wanted is False or (wanted is None and not display):
        return None
    if not display:
        raise UsageError("--window: found no display (DISPLAY and WAYLAND_DISPLAY are not set); leave it out")
    try:
        return VerifyWindow()
    except cv2.error as error:
        if wanted is None:
            return None
        advice = "this OpenCV cannot open windows: install opencv-python instead of opencv-python-headless"
        raise UsageError(f"--window: {advice}, or leave it out") from error


def drawn(image: Image, look: CheckedLook, check: IdentityCheck, name: str) -> Image:
    """A copy of the picture with box, landmarks and what is known so far."""
    if look.face is None:
        return image.copy()
    tone = Tone.KNOWN if check.verified else Tone.UNDECIDED
    best = check.match.best if check.match else None
    text = f"{name} {best.similarity:.2f} / {check.threshold:.2f}" if best else "not usable"
    canvas = annotate(image, [Note(look.face.face.box, text, tone)])
    landmarks = look.face.landmarks
    for x, y in landmarks.mesh[:, :2] if look.face.face.box.width >= MESH_FROM_PX else landmarks.five:
        cv2.circle(canvas, (round(float(x)), round(float(y))), 1, tone.value, cv2.FILLED)
    return canvas
