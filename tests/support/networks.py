"""The bundled networks, loaded once for all tests that want them."""

import functools

from edge.config.faces import DetectSettings
from edge.faces.detect import BlazeFaceDetector
from edge.faces.embed import TfliteEmbedder
from edge.faces.landmarks import FaceMesh
from edge.models import card
from edge.models.tflite import Model
from edge.records import Face, Image, Landmarks


@functools.cache
def detector(name: str = "blazeface-back", squares: bool = True, min_score: float = 0.6) -> BlazeFaceDetector:
    model = Model(card.find(name), "detect", threads=2)
    return BlazeFaceDetector(model, DetectSettings(min_score=min_score, squares=squares))


@functools.cache
def mesh() -> FaceMesh:
    return FaceMesh(Model(card.find("face-mesh"), "landmarks", threads=2))


@functools.cache
def embedder() -> TfliteEmbedder:
    return TfliteEmbedder(Model(card.find("mobilefacenet"), "embed", threads=2))


def only_face(image: Image) -> Face:
    faces = detector().detect(image)
    assert len(faces) == 1, f"{len(faces)} faces found where one is"
    return faces[0]


def landmarks_of(image: Image) -> Landmarks:
    return mesh().locate(image, only_face(image))
