"""What is wrong with a face, and what to do about it, in plain words."""

from edge.config.faces import QualitySettings
from edge.records import Problem, Quality

SPOKEN = {
    Problem.TOO_SMALL: "come closer",
    Problem.TOO_BLURRED: "hold still, or wipe the lens",
    Problem.TOO_DARK: "more light on your face, please",
    Problem.TOO_BRIGHT: "less light: your face is washed out",
    Problem.TURNED_AWAY: "look into the camera",
    Problem.CUT_OFF: "move to the middle: your face is cut off",
    Problem.NOT_A_FACE: "show your whole face: nothing over it",
}
"""For somebody in front of the camera."""


_REMEDY = {
    Problem.TOO_SMALL: "take a larger photo, or one from closer up",
    Problem.TOO_BLURRED: "take a photo that is in focus, with a steady hand",
    Problem.TOO_DARK: "take a photo with light on the face, not behind it",
    Problem.TOO_BRIGHT: "take a photo without flash or direct sun",
    Problem.TURNED_AWAY: "take a photo of the person looking into the camera",
    Problem.CUT_OFF: "take one that shows the whole face",
    Problem.NOT_A_FACE: "take a photo that shows the whole face",
}
"""For somebody with a photo."""


def explain(quality: Quality, limits: QualitySettings) -> str:
    """Say why a photo's face cannot be used: what was found, what is needed, what to do. Empty when it can be used."""
    return f"{shortfall(quality, limits)}; {_REMEDY[quality.problem]}" if quality.problem else ""


def shortfall(quality: Quality, limits: QualitySettings) -> str:
    """Say why a face cannot be used: what was found, and what is needed. Empty when it can be used."""
    found = {
        Problem.TOO_SMALL: (
            f"the face is too small: {quality.eye_distance_px:.0f} pixels between the eyes, "
            f"{limits.min_eye_distance_px:.0f} are needed"
        ),
        Problem.TOO_BLURRED: (
            f"the face is too blurred: sharpness {quality.sharpness:.1f}, {limits.min_sharpness:.1f} is needed"
        ),
        Problem.TOO_DARK: (
            f"the face is too dark: brightness {quality.brightness:.0f} of 255, {limits.min_brightness:.0f} is needed"
        ),
        Problem.TOO_BRIGHT: (
            f"the face is too bright: brightness {quality.brightness:.0f} of 255, {limits.max_brightness:.0f} at most"
        ),
        Problem.TURNED_AWAY: (
            f"the face is turned away by {quality.pose.off_axis:.0f} degrees, {limits.max_turn_deg:.0f} at most"
        ),
        Problem.CUT_OFF: "the face is cut off at the edge of the picture",
        Problem.NOT_A_FACE: (
            f"this is hardly a face (certainty {quality.presence:.2f}, {limits.min_presence:.2f} is needed): perhaps a "
            "profile, a covered face, or something else"
        ),
    }
    return found[quality.problem] if quality.problem else ""
