"""What there is to say about a box's networks, gallery and threshold."""

from collections.abc import Iterator
from pathlib import Path

from edge.config.loading import LoadedConfig
from edge.config.visits import MatchSettings
from edge.errors import ModelError
from edge.faces.embed import TfliteEmbedder
from edge.galleries.gallery import Gallery, lookalikes
from edge.inspection.findings import Finding, failed, ok, strangers, warning
from edge.models.edgetpu import INSTALL
from edge.models.measure import Measure
from edge.models.tflite import Model
from edge.terminal import plural
from edge.visits.strangers import watch_strangers
from edge.visits.thresholds import Threshold, again_threshold

PAIRS_SHOWN = 3


def network_finding(role: str, network: Model, why: str = "") -> Finding:
    """A network that could be loaded, so its file and shapes are those of its card. `why`: what `auto` has chosen."""
    card = network.card
    _, height, width, _ = card.input.shape
    where = "; runs on the Edge TPU" if network.runs_on == "edgetpu" else ""
    same = f"sha256 {card.sha256[:12]}... and shapes are those of its card"
    chosen = f"; {why}" if why else ""
    size = f"input {width} x {height}; licence: {card.licence}"
    return ok(role, f"{card.name}: {same}; {size}{where}{chosen}")


def accelerator_findings(networks: list[Model]) -> Iterator[Finding]:
    """A warning when networks are compiled for an Edge TPU that does not answer."""
    idle = [network.card.name for network in networks if network.for_edge_tpu and network.runs_on == "cpu"]
    if idle:
        advice = f"plug it in, or {INSTALL}; while whosthere runs as a service, the service holds the device"
        yield warning("accelerator", f"{', '.join(idle)}: compiled for an Edge TPU, but none answers", advice)


def runtime_findings(network: Model) -> Iterator[Finding]:
    """A warning when the runtime is slow with this very network."""
    if network.slow_runtime:
        slow = f"{network.slow_runtime} has only slow kernels for int8, 1.4 to 7 times as slow as float32"
        advice = (
            "on a 64-bit box, pip install 'whosthere[litert]'; otherwise set models.embedder to mobilefacenet and "
            "enrol everybody again"
        )
        yield warning("runtime", f"{network.card.name}: {slow}", advice)


def gallery_finding(path: Path, gallery: Gallery) -> Finding:
    """`family.whg: 3 people, 7 templates, version 4`."""
    people, templates = len(gallery.people), len(gallery.embeddings)
    size = f"{plural(people, 'person', 'people')}, {plural(templates, 'template')}"
    return ok("gallery", f"{path}: {size}, version {gallery.header.version}")


def no_gallery_finding(path: Path) -> Finding:
    return warning("gallery", f"{path}: no such gallery, so everybody is unknown", _enroll(path))


def empty_gallery_finding(path: Path) -> Finding:
    return warning("gallery", f"{path}: nobody is in it, so everybody is unknown", _enroll(path))


def _enroll(path: Path) -> str:
    return f"make one with `whosthere enroll --gallery {path} --person NAME PHOTO...`"


def lookalike_findings(gallery: Gallery, threshold: float, measure: Measure) -> Iterator[Finding]:
    """A warning for each pair of people who can be mistaken for each other; the first few in full."""
    pairs = lookalikes(gallery, threshold, measure)
    for one, other, similarity in pairs[:PAIRS_SHOWN]:
        found = f"{one.name} and {other.name} look alike to the embedder: similarity {similarity:.2f}"
        advice = "they will often be `uncertain`: `whosthere gallery verify` says which photos would help"
        yield warning("gallery", found, advice)
    if len(pairs) > PAIRS_SHOWN:
        more = f"{len(pairs) - PAIRS_SHOWN} more pairs of people look alike"
        yield warning("gallery", more, "`whosthere gallery verify` lists them")


def threshold_finding(threshold: Threshold, match: MatchSettings, embedder: TfliteEmbedder, templates: int) -> Finding:
    """Which similarity a name takes, and where that number comes from."""
    calibration = embedder.card.naming_calibration
    needed = f"a name takes a similarity of {threshold.similarity:.3f}"
    if calibration is None:
        advice = "calibrate it with `whosthere-converter calibrate`"
        return warning("threshold", f"{needed}, from match.threshold: {embedder.name} has no calibration", advice)
    if not threshold.calibrated:
        found = f"{needed}, from match.threshold, so match.false_alarm_target is not used"
        return warning("threshold", found, f"remove match.threshold: {embedder.name} is calibrated")
    against = "one template" if templates <= 1 else f"{templates} templates"
    target = f"{strangers(match.false_alarm_target)} against {against}"
    if not threshold.within_data:
        reach = 1 - (1 - calibration.points[-1][1]) ** max(1, templates)
        found = f"{needed}, the strictest that was measured; {target} is rarer than the calibration's data can show"
        return warning("threshold", found, f"count on {strangers(reach)}, or set match.false_alarm_target to that")
    return ok("threshold", f"{needed}: {target}, by the calibration of {embedder.name}")


def strangers_finding(loaded: LoadedConfig, embedder: TfliteEmbedder) -> Finding:
    """From which similarity a stranger has come again, when as many are kept as may be."""
    try:
        watch_strangers(loaded, embedder.card)
    except ModelError as error:
        return failed("strangers", error)
    keep, target = loaded.config.strangers.keep, loaded.config.match.false_alarm_target
    found = "strangers are not grouped"
    if embedder.calibration is not None:
        bar = again_threshold(embedder.calibration, target, keep)
        strictest = "" if bar.within_data else ", the strictest that was measured"
        found = f"two visits of one stranger take a similarity of {bar.similarity:.3f} with {keep} kept{strictest}"
    return ok("strangers", found)
