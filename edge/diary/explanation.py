"""Why a visit was decided as it was: the whole chain, as text and as JSON."""

from datetime import datetime

import msgspec

from edge.config.visits import MatchSettings
from edge.diary.listing import NamedScore, Names, VisitLine
from edge.diary.plot import plot
from edge.diary.record import DecisionRecord, LookRecord, RefusedRecord, VisitRecord
from edge.diary.spoken import refused_text, spoken
from edge.diary.what_if import VisitChange, advice
from edge.events import EventKind
from edge.models.card import Calibration
from edge.records import Doubt, Problem
from edge.terminal import plural
from edge.visits.thresholds import threshold_for


class ExplainedLook(msgspec.Struct, frozen=True):
    """One analysed face. `similarity` is its own, `fused` that of all faces up to then; null: not known."""

    at_s: float
    quality: float
    problem: Problem | None
    similarity: float | None
    fused: float | None

    @classmethod
    def of(cls, look: LookRecord) -> "ExplainedLook":
        return cls(look.at_s, look.quality, look.problem, look.similarity, look.fused)


class ExplainedRefusal(msgspec.Struct, frozen=True):
    """Faces that were not used for one reason. `limit` is the setting, `least` and `most` what was found."""

    problem: Problem
    count: int
    limit: float | None
    least: float | None
    most: float | None
    text: str


class ExplainedDecision(msgspec.Struct, frozen=True):
    """One decision of the visit."""

    kind: EventKind
    at_s: float
    provisional: bool
    corrects: int | None
    usable_faces: int
    best: NamedScore | None
    second: NamedScore | None
    threshold: float | None
    margin: float | None
    false_match_rate: float | None
    doubt: Doubt | None
    text: str


class ExplainedThreshold(msgspec.Struct, frozen=True):
    """The similarity that a name needed, and where it came from."""

    similarity: float
    base: float | None
    """Before it was raised because the faces fell into groups; null: not known."""
    fixed: bool
    """From `match.threshold`, not from the target."""
    false_alarm_target: float
    templates: int
    min_margin: float
    min_faces: int
    text: str


class ExplainedAdvice(msgspec.Struct, frozen=True):
    """What would have changed the decision, and into what."""

    change: VisitChange
    decision: EventKind
    text: str


class Explanation(msgspec.Struct, frozen=True):
    """`explain --json`, and what the page shows."""

    visit: VisitLine
    doubtful: int
    """Looks that turned out to show somebody else."""
    refused: list[ExplainedRefusal]
    looks: list[ExplainedLook]
    """Spread over the whole visit: at most forty of all faces."""
    decisions: list[ExplainedDecision]
    threshold: ExplainedThreshold | None
    """Null: nobody was compared with the gallery."""
    advice: list[ExplainedAdvice]


def explain(visit: VisitRecord, names: Names, calibration: Calibration | None) -> Explanation:
    """The explanation of a visit. `calibration` is that of the visit's embedder; None: it has none, or is not known."""
    return Explanation(
        visit=VisitLine.of(visit, names),
        doubtful=visit.doubtful,
        refused=[_refusal(found, visit) for found in visit.refused],
        looks=[ExplainedLook.of(look) for look in visit.looks],
        decisions=[_decision(one, names) for one in visit.decisions],
        threshold=_threshold(visit, calibration),
        advice=[
            ExplainedAdvice(one.change, one.decision, spoken(one, visit, names)) for one in advice(visit, calibration)
        ],
    )


def as_text(explanation: Explanation) -> str:
    """The explanation for a terminal."""
    line = explanation.visit
    began = datetime.fromisoformat(line.started_at).astimezone()
    rang = ", rang" if line.rang else ""
    blocks = [[f"{line.visit_id}: {line.who}", f"  {began:%Y-%m-%d %H:%M:%S}, for {line.duration_s:.0f} s{rang}"]]
    faces = [
        f"Faces: {line.faces} analysed, {line.usable_faces} used",
        *(f"  {one.text}" for one in explanation.refused),
    ]
    if explanation.doubtful:
        faces.append(f"  {explanation.doubtful} more showed somebody else, who took this visitor's place")
    blocks.append(faces)
    looks = [LookRecord(one.at_s, one.quality, one.problem, one.similarity, one.fused) for one in explanation.looks]
    if looks:
        needed = explanation.threshold.similarity if explanation.threshold else None
        legend = "Similarity to the nearest person (. one face, # all faces together, - needed for a name)"
        blocks.append([legend, *plot(looks, needed)])
    if explanation.threshold:
        blocks.append(["Needed for a name", *(f"  {part}" for part in explanation.threshold.text.split("; "))])
    blocks.append(
        ["Decisions", *(f"  {one.text}" for one in explanation.decisions)] if explanation.decisions else ["No decision"]
    )
    if explanation.advice:
        blocks.append(["What would have changed it", *(f"  {one.text}" for one in explanation.advice)])
    return "\n\n".join("\n".join(block) for block in blocks)


def _refusal(found: RefusedRecord, visit: VisitRecord) -> ExplainedRefusal:
    limit, text = refused_text(found, visit)
    return ExplainedRefusal(found.problem, found.count, limit, found.least, found.most, text)


def _decision(one: DecisionRecord, names: Names) -> ExplainedDecision:
    best, second = NamedScore.of(one.best, names), NamedScore.of(one.second, names)
    margin = None if one.margin is None else round(one.margin, 4)
    return ExplainedDecision(
        kind=one.kind,
        at_s=one.at_s,
        provisional=one.provisional,
        corrects=one.corrects,
        usable_faces=one.usable_faces,
        best=best,
        second=second,
        threshold=one.threshold and round(one.threshold, 4),
        margin=margin,
        false_match_rate=one.false_match_rate,
        doubt=one.doubt,
        text=_decision_text(one, best, second),
    )


def _decision_text(one: DecisionRecord, best: NamedScore | None, second: NamedScore | None) -> str:
    kind = {EventKind.RECOGNIZED: best.name if best else "?"}.get(one.kind, one.kind.value.replace("_", " "))
    notes = [f"from {plural(one.usable_faces, 'face')}"] if one.usable_faces else []
    if best is not None:
        notes.append(f"{best.similarity:.3f} to {best.name}")
    if best is not None and second is not None:
        notes.append(f"{best.similarity - second.similarity:.3f} ahead of {second.name}")
    if one.false_match_rate:
        notes.append(f"one stranger in {max(1, round(1 / one.false_match_rate)):,} is this similar to somebody here")
    notes += [_DOUBTS[one.doubt]] if one.doubt else []
    notes += ["it may still change"] if one.provisional else []
    notes += ["this corrects the decision before"] if one.corrects is not None else []
    notes += [f"most often {one.problem.replace('_', ' ')}"] if one.problem else []
    return f"after {one.at_s:.1f} s: {kind}" + (f" ({'; '.join(notes)})" if notes else "")


_DOUBTS = {
    Doubt.MARGIN: "the second person is too close",
    Doubt.TAKEN: "another face in the picture had that name already",
    Doubt.GROUPS: "the faces fall into groups that name different people",
    Doubt.FEW_FACES: "too few usable faces for a name",
    Doubt.REJECTED: "nearer to a visit that you rejected for that person: `whosthere visit corrections`",
}


def _threshold(visit: VisitRecord, calibration: Calibration | None) -> ExplainedThreshold | None:
    last, rules = visit.last, visit.rules
    if last is None or last.threshold is None:
        return None
    settings = MatchSettings(false_alarm_target=rules.false_alarm_target)
    base = None if rules.fixed_threshold else threshold_for(settings, calibration, rules.templates)
    raised = base is not None and last.threshold - base.similarity > 1e-3
    if rules.fixed_threshold:
        source = "match.threshold in config.yaml"
    else:
        source = (
            f"match.false_alarm_target is one stranger in {1 / rules.false_alarm_target:,.0f}, the gallery has "
            f"{plural(rules.templates, 'template')}, and {visit.model} is calibrated"
        )
    if base is not None and raised:
        why = ", because the faces fell into groups" if visit.probes > 1 else ""
        source += f"; raised from {base.similarity:.3f}{why}"
    text = "; ".join(
        (
            f"similarity {last.threshold:.3f}: {source}",
            f"match.min_margin: a lead of {rules.min_margin:g} over the second person",
            f"visit.min_faces: {rules.min_faces} usable faces",
        )
    )
    return ExplainedThreshold(
        similarity=round(last.threshold, 4),
        base=round(base.similarity, 4) if base else None,
        fixed=rules.fixed_threshold,
        false_alarm_target=rules.false_alarm_target,
        templates=rules.templates,
        min_margin=rules.min_margin,
        min_faces=rules.min_faces,
        text=text,
    )
