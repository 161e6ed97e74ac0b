"""Refused faces and advice in plain words. Every limit in them is the setting by which the visit was decided."""

from edge.config.faces import QualitySettings
from edge.diary.listing import Names
from edge.diary.record import RefusedRecord, VisitRecord
from edge.diary.what_if import VisitAdvice
from edge.events import EventKind
from edge.records import Problem
from edge.terminal import plural

REMEDY = {
    Problem.TOO_SMALL: "bring the camera closer, or ask it for a larger picture (camera.width)",
    Problem.TOO_BLURRED: "add light, or wipe the lens",
    Problem.TOO_DARK: "add light, or raise camera.exposure_ev",
    Problem.TOO_BRIGHT: "shade the camera, or lower camera.exposure_ev",
    Problem.TURNED_AWAY: "move the camera",
    Problem.CUT_OFF: "turn the camera",
    Problem.NOT_A_FACE: "uncover the whole face",
}
"""What the owner of a box can do about each."""


def limit_of(problem: Problem, limits: QualitySettings) -> float | None:
    """The setting that a face with this problem did not meet; None: there is none."""
    return {
        Problem.TOO_SMALL: limits.min_eye_distance_px,
        Problem.TOO_BLURRED: limits.min_sharpness,
        Problem.TOO_DARK: limits.min_brightness,
        Problem.TOO_BRIGHT: limits.max_brightness,
        Problem.TURNED_AWAY: limits.max_turn_deg,
        Problem.NOT_A_FACE: limits.min_presence,
    }.get(problem)


def refused_text(found: RefusedRecord, visit: VisitRecord) -> tuple[float | None, str]:
    """The limit, and a line such as "12 of 15 turned away by more than 45 degrees (46 to 72)"."""
    limit = limit_of(found.problem, visit.rules.quality)
    many = f"{found.count} of {visit.analysed}"
    what = {
        Problem.TOO_SMALL: f"with less than {limit:g} pixels between the eyes" if limit else "",
        Problem.TOO_BLURRED: f"too blurred, with a sharpness below {limit:g}" if limit is not None else "",
        Problem.TOO_DARK: f"too dark, with a brightness below {limit:g} of 255" if limit is not None else "",
        Problem.TOO_BRIGHT: f"too bright, with a brightness above {limit:g} of 255" if limit is not None else "",
        Problem.TURNED_AWAY: f"turned away by more than {limit:g} degrees" if limit else "",
        Problem.CUT_OFF: "cut off at the edge of the picture",
        Problem.NOT_A_FACE: f"hardly a face, with a certainty below {limit:g}" if limit is not None else "",
    }[found.problem]
    if found.least is None or found.most is None:
        return limit, f"{many} {what}"
    spread = f"{found.least:.3g}" if found.least == found.most else f"{found.least:.3g} to {found.most:.3g}"
    return limit, f"{many} {what} ({spread})"


def spoken(advice: VisitAdvice, visit: VisitRecord, names: Names) -> str:
    """The advice as a sentence without its full stop."""
    change, last = advice.change, visit.last
    who, second = (
        names.get(score.person_id, score.person_id) if score else "somebody"
        for score in ((last.best, last.second) if last else (None, None))
    )
    outcome = who if advice.decision is EventKind.RECOGNIZED else advice.decision.value.replace("_", " ")
    wanted = []
    if change.problem is not None:
        found = next(one for one in visit.refused if one.problem is change.problem)
        wanted.append(f"{REMEDY[change.problem]}: {refused_text(found, visit)[1]}")
    elif change.faces:
        wanted.append(plural(change.faces, "more usable face", "more usable faces"))
    if change.similarity > 0:
        wanted.append(f"{change.similarity:.3f} more similarity to {who}")
    if change.similarity < 0:
        wanted.append(f"{-change.similarity:.3f} less similarity to {who}")
    if change.lead:
        wanted.append(f"{change.lead:.3f} less similarity to {second}")
    if change.false_alarm_target is not None:
        wanted.append(_laxer_target(change.false_alarm_target, visit.rules.false_alarm_target))
    if advice.decision is EventKind.UNKNOWN and last is not None and last.kind is EventKind.NO_USABLE_FACE:
        outcome = "a name, or unknown"
    return f"{' and '.join(wanted)}; it would have been {outcome}"


def _laxer_target(target: float, now: float) -> str:
    return (
        f"match.false_alarm_target: {target:g}, which calls one stranger in {1 / target:,.0f} by a name, "
        f"not one in {1 / now:,.0f}"
    )
