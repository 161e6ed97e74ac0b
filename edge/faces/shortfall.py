"""Which limit a face does not meet. It needs no picture, so that what only reads measures loads no OpenCV."""

from edge.config.faces import QualitySettings
from edge.records import Problem, Quality


def shortfall(found: Quality, limits: QualitySettings) -> Problem | None:
    """The first limit that a face does not meet, whatever its own `problem`; None: it meets all of them."""
    checks = (
        (found.presence < limits.min_presence, Problem.NOT_A_FACE),
        (found.pose.off_axis > limits.max_turn_deg, Problem.TURNED_AWAY),
        (found.eye_distance_px < limits.min_eye_distance_px, Problem.TOO_SMALL),
        (found.brightness < limits.min_brightness, Problem.TOO_DARK),
        (found.brightness > limits.max_brightness, Problem.TOO_BRIGHT),
        (found.sharpness < limits.min_sharpness, Problem.TOO_BLURRED),
    )
    return next((problem for wrong, problem in checks if wrong), None)
