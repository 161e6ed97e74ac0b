"""The quantisers: a float network -> int8, by TensorFlow, by Google's library and by whosthere."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from converter.fine_tuning.learning import TuningPlan
from converter.fine_tuning.photos import tuning_photos
from converter.fine_tuning.tuner import PhotoTuner
from converter.graph import Graph, schema
from converter.sources import tensorflow, tflite_converter
from converter.variants import Variant, VariantMaker
from edge.errors import ModelError
from edge.models.quiet import quiet_libraries
from tools.quantisers.networks import QuantisedNetwork

LIBRARIES = ("litert_quantizer", "ai_edge_quantizer")
"""One library under its new and its old name; the first that is there counts."""
HOW_TO_INSTALL = (
    "pip install --target {folder} --no-deps litert-quantizer==0.11.0 litert-lm-builder immutabledict, "
    "which keeps their pins out of this environment"
)


class MissingLibrary(ModelError):
    """Google's quantiser is not installed where it was looked for."""


Maker = Callable[[QuantisedNetwork], bytes]
"""A network -> a TFLite file."""


def float32(network: QuantisedNetwork) -> bytes:
    """whosthere's own float32, which all others are compared with."""
    return VariantMaker(network.content, network.name, []).make("fp32").content


def tensorflow_int8(network: QuantisedNetwork) -> bytes:
    """TensorFlow's post-training quantisation with representative faces, as its guide has it; floats in and out."""
    tf = tensorflow()
    converter = tflite_converter(network.model, Path(network.name))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([face] for face in network.representative)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    with quiet_libraries():
        return bytes(converter.convert())


def library_int8(library: Path) -> Maker:
    """Google's library in this folder, with its recipe for int8 weights and activations."""

    def make(network: QuantisedNetwork) -> bytes:
        package = _import(library)
        recipe = importlib.import_module(f"{package}.recipe").static_wi8_ai8()
        content = named(network)
        quantizer = importlib.import_module(f"{package}.quantizer").Quantizer(bytearray(content), recipe)
        signature = Graph(content).model.signatureDefs[0]
        faces = [{_text(signature.inputs[0].name): face} for face in network.representative]
        with quiet_libraries():
            measured = quantizer.calibrate({_text(signature.signatureKey): faces})
            return bytes(quantizer.quantize(measured).quantized_model)

    return make


def named(network: QuantisedNetwork) -> bytes:
    """The float network with names for its input and output, which the library wants and some files lack."""
    graph = Graph(network.content)
    if graph.model.signatureDefs:
        return network.content
    signature = schema.SignatureDefT()
    signature.signatureKey = "serving_default"
    signature.inputs, signature.outputs = [_entry("picture", graph.inputs[0])], [_entry("vector", graph.outputs[0])]
    graph.model.signatureDefs = [signature]
    return graph.pack()


def _entry(name: str, tensor: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, tensor
    return entry


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _import(library: Path) -> str:
    """The library's name. Raises MissingLibrary."""
    if str(library) not in sys.path:
        sys.path.append(str(library))
    for package in LIBRARIES:
        if importlib.util.find_spec(package) is not None:
            return package
    raise MissingLibrary(f"{library}: no {' or '.join(LIBRARIES)} there: {HOW_TO_INSTALL.format(folder=library)}")


def own(variant: Variant) -> Maker:
    """whosthere's own variant."""
    return lambda network: VariantMaker(network.content, network.name, network.representative).make(variant).content


def fine_tuned(epochs: int) -> Maker:
    """whosthere's int8-full, fine-tuned on the photos that the network was trained with."""

    def make(network: QuantisedNetwork) -> bytes:
        photos = tuning_photos(network.learnt, network.spec, network.framing, network.folder / "fine-tuning", 0)
        tuner = PhotoTuner(photos, network.spec, TuningPlan(epochs=epochs))
        return VariantMaker(network.content, network.name, network.representative, tuner).make("int8-full").content

    return make
