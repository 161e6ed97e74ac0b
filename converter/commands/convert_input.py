"""The network that `convert` is given, of any framework: as float TFLite, with what the cards will say about it."""

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from converter import sources
from converter.commands import import_options
from converter.convert import ModelOrigin
from converter.graph import Graph
from converter.importing.originals import SUFFIXES, ImportedNetwork, import_network
from converter.importing.proof import prove
from converter.input_spec import RAW, model_input
from converter.licence import licence_of
from edge.errors import ModelError, UsageError
from edge.faces.framing import Framing
from edge.terminal import echo, path_text

PROOF = "compared with the original"


class ConvertInput(NamedTuple):
    """A float network, and its cards' fields."""

    content: bytes
    origin: ModelOrigin
    head: bytes | None = None
    """A label classifier's end, which was cut off."""

    @property
    def framing(self) -> Framing:
        """How faces are cut out for it."""
        points = self.origin.alignment
        return Framing(None if points is None else np.array(points, np.float32), self.origin.crop)


def open_input(
    model: Path, allow_lambda: bool, cut: str | None, labels: Path | None, feeding: dict[str, Any]
) -> ConvertInput:
    """Read MODEL; one of ONNX or PyTorch is converted first, and proven equal. `feeding`: the options about its input.

    Raises UsageError, ModelError.
    """
    scale = import_options.scaling(feeding["mean"], feeding["std"], feeding["pixels"])
    if not import_options.is_foreign(model):
        if model.is_file() and model.suffix.lower() not in {*sources.KERAS_SUFFIXES, ".tflite"}:
            allowed = f"{sources.FORMS}; of ONNX and PyTorch: {', '.join(SUFFIXES)}"
            raise ModelError(f"{model}: a file of another kind was found; allowed: {allowed}")
        import_options.refuse_for_others(model, feeding, scale)
        content, head = sources.network_and_head(model, allow_lambda, cut, labelled=labels is not None)
        return ConvertInput(content, _origin(model, content, feeding, scale, feeding["licence"]), head)
    if labels is not None:
        raise UsageError(f"{model}: --labels is for Keras models: of others, the head that makes labels is not kept")
    if feeding["known"] is None and feeding["pixels"] is None and scale is None:
        raise UsageError(f"{model}: give --card, --range, or --mean and --std: the file does not say how its training "
                         "normalised the pixels")  # fmt: skip
    # Not the licence of --card, which may describe another network with the same input.
    licence = licence_of(feeding["licence"], model)
    request = import_options.request_of(feeding, scale, cut)
    # Its temporary files are needed until the command ends.
    folder = click.get_current_context().with_resource(tempfile.TemporaryDirectory(prefix="whosthere-import-"))
    imported = import_network(model, request, Path(folder))
    sources.check_float(Graph(imported.content, str(model)))
    return _proven(model, imported, feeding, scale, licence)


def _proven(
    model: Path, imported: ImportedNetwork, feeding: dict[str, Any], scale: import_options.Scale | None, licence: str
) -> ConvertInput:
    found = ConvertInput(imported.content, _origin(model, imported.content, feeding, scale, licence))
    proof = prove(imported, model, found.origin.spec, found.framing)
    length = "have length one" if proof.normalised else "are not normalised, which whosthere does"
    half = "; its weights are float16, and become float32" if imported.half else ""
    text = proof.text(imported.made_by)
    echo(f"{model.name}, original and converted: {text}\nThe original's vectors {length}{half}.", err=True)
    return found._replace(origin=replace(found.origin, measured={PROOF: text}))


def _origin(
    model: Path, content: bytes, feeding: dict[str, Any], scale: import_options.Scale | None, licence: str | None
) -> ModelOrigin:
    """What the cards say, by the options, else by the card of MODEL, else by the network itself."""
    graph = Graph(content, str(model))
    shape = graph.shape(graph.inputs[0])[1:]
    crop = feeding["crop"] if feeding["unaligned"] else None
    folded = scale is not None and len(scale[0]) == 3
    single = (scale[0][0], scale[1][0]) if scale and not folded else None
    pixels = RAW if folded else feeding["pixels"]
    told = model_input(model, shape, feeding["known"], pixels, feeding["channels"], crop, single)
    spec, alignment, crop, card = told
    return ModelOrigin(
        feeding["name"] or path_text(model.stem),
        spec,
        alignment,
        crop,
        licence or (card.licence if card else "not stated"),
        feeding["origin"] or (card.origin if card and not import_options.is_foreign(model) else _converted_from(model)),
    )


def _converted_from(model: Path) -> str:
    if not import_options.is_foreign(model):
        return f"converted from {path_text(model.name)}"
    try:
        with model.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{model}: cannot be read: {error.strerror}") from error
    return f"converted from {path_text(model.name)} (sha256 {digest})"
