"""The box's rules, each of which can be taken out for a run, to see what it is worth.

A rule is taken out by a setting where there is one, else by putting something inert in the place of a constant or a
function of `edge` while the engine runs. So the box needs no switch that only a test would use.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from edge.config.faces import ENROLMENT_LIMITS
from edge.config.loading import Config
from edge.faces import appearance
from edge.visits import fusion, infrared_scale, manager, matcher, state, swap, thresholds, tracker


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that the box does to answer rightly. `item` is its number in the list of decisions' rules."""

    name: str
    item: int
    does: str
    settings: tuple[tuple[str, str, Any], ...] = ()
    """(section of config.yaml, key, value) that switch it off."""
    stand_ins: tuple[tuple[object, str, Any], ...] = ()
    """(module or class, attribute, what stands in its place) that switch it off."""

    def config(self, config: Config) -> Config:
        for section, key, value in self.settings:
            changed = msgspec.structs.replace(getattr(config, section), **{key: value})
            config = msgspec.structs.replace(config, **{section: changed})
        return config


def _always(value: Any) -> Callable[..., Any]:
    return lambda *_, **__: value


_FORMER_LIMITS = tuple(
    ("quality", key, getattr(ENROLMENT_LIMITS, key))
    for key in ("min_eye_distance_px", "min_sharpness", "min_brightness", "max_brightness")
)

RULES: tuple[Rule, ...] = (
    Rule(
        "swap",
        0,
        "a followed face that turns into somebody else gets a visit of its own",
        stand_ins=((manager, "judge", _always(swap.Verdict.SAME)),),
    ),
    Rule(
        "recheck", 0, "a decided visit is looked at every 0.5 s, not every 2 s", settings=(("visit", "recheck_s", 2.0),)
    ),
    Rule(
        "triggers",
        0,
        "a face that jumps, or looks different, is looked at at once",
        stand_ins=(
            (appearance.AppearanceWatch, "changed", _always(frozenset())),
            (tracker, "JUMP", float("inf")),
            (tracker, "JUMP_RESIZE", float("inf")),
            (tracker, "JUMP_GAP_S", float("inf")),
        ),
    ),
    Rule(
        "withheld-labels",
        0,
        "no name is shown while the last looks did not confirm it",
        stand_ins=((state.Visit, "unconfirmed", property(_always(0), _always(None))),),
    ),
    Rule(
        "correction",
        1,
        "`unknown` and `uncertain` may still become a name",
        stand_ins=((manager, "correction", _always(None)),),
    ),
    Rule(
        "groups",
        1,
        "faces of a visit that differ are matched as two groups",
        stand_ins=((fusion, "_two_groups", lambda *_: None),),
    ),
    Rule(
        "weights",
        1,
        "good faces weigh more than bad ones",
        stand_ins=((fusion, "MIN_WEIGHT", 1.0),),
    ),
    Rule(
        "group-threshold",
        1,
        "the threshold rises with the number of groups asked for",
        stand_ins=((matcher.Matcher, "threshold_for_probes", lambda self, _: self.threshold),),
    ),
    Rule("quality", 1, "covered, blurred, dark and overexposed faces count, if for little", settings=_FORMER_LIMITS),
    Rule(
        "margin",
        9,
        "the second most similar person must be far enough behind",
        settings=(("match", "min_margin", 0.0),),
    ),
    Rule(
        "one-name-each",
        9,
        "two people in one picture never share a name",
        stand_ins=((manager.VisitManager, "_taken", _always(set())),),
    ),
    Rule("squares", 8, "a wide picture is searched in squares, not shrunk", settings=(("detect", "squares", False),)),
    Rule("tiles", 8, "far faces are searched where something moves", settings=(("detect", "tiles", 0),)),
    Rule(
        "night",
        7,
        "two faces in infrared light need more similarity to be one person's",
        stand_ins=(
            (infrared_scale.InfraredScale, "translated", lambda _, similarities: similarities),
            (thresholds.LinkingThresholds, "under", lambda self, **_: self),
        ),
    ),
)


_ABSENT = object()


@contextmanager
def removed(rule: Rule | None) -> Iterator[None]:
    """Take the rule out of the code while the block runs; None: change nothing."""
    stand_ins = rule.stand_ins if rule else ()
    before = [vars(owner).get(name, _ABSENT) for owner, name, _ in stand_ins]
    try:
        for owner, name, value in stand_ins:
            setattr(owner, name, value)
        yield
    finally:
        for (owner, name, _), value in zip(stand_ins, before, strict=True):
            if value is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
