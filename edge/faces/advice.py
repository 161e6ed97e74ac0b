"""What is wrong with a face, in plain words, and what to do about it."""

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
"""To somebody who stands before the camera."""


def explain(quality: Quality, limits: QualitySettings) -> str:
    """Why the face of a photo cannot be used, with what was found, what is needed and what to do; empty when it can."""
    found = {
        Problem.TOO_SMALL: (
            f"the face is too small: {quality.eye_distance_px:.0f} pixels between the eyes, "
            f"{limits.min_eye_distance_px:.0f} are needed; take a larger photo, or one from closer by"
        ),
        Problem.TOO_BLURRED: (
            f"the face is too blurred: sharpness {quality.sharpness:.1f}, {limits.min_sharpness:.1f} is needed; "
            "take a photo that is in focus and not shaken"
        ),
        Problem.TOO_DARK: (
            f"the face is too dark: brightness {quality.brightness:.0f} of 255, {limits.min_brightness:.0f} is needed; "
            "take a photo with light on the face, not behind it"
        ),
        Problem.TOO_BRIGHT: (
            f"the face is too bright: brightness {quality.brightness:.0f} of 255, {limits.max_brightness:.0f} at most; "
            "take a photo without flash or direct sun"
        ),
        Problem.TURNED_AWAY: (
            f"the face is turned away by {quality.pose.off_axis:.0f} degrees, {limits.max_turn_deg:.0f} at most; "
            "take a photo that looks into the camera"
        ),
        Problem.CUT_OFF: "the face is cut off at the edge of the photo; take one that shows the whole face",
        Problem.NOT_A_FACE: (
            f"what looks like a face is hardly one (certainty {quality.presence:.2f}, {limits.min_presence:.2f} is "
            "needed): a profile, covered, or a picture of something else; take a photo that shows the whole face"
        ),
    }
    return found[quality.problem] if quality.problem else ""
