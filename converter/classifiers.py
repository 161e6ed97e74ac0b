"""Ways to tell from embeddings whose face it is, side by side: the box's own, and those of the textbooks."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.datasets import DatasetError
from converter.embeddings import EmbeddedFaces
from converter.identification import Split

FALSE_POSITIVE_RATE = 0.01
NEIGHBOURS = 3

Vectors = NDArray[np.float32]
Classifier = Callable[[Vectors, NDArray[np.int_], Vectors], NDArray[np.float64]]
"""(templates, the person of each, probes) -> (probes, people) scores; larger: more likely."""


class ClassifierResult(msgspec.Struct, frozen=True):
    """How good one classifier is."""

    classifier: str
    rank_one: float
    """Share of known probes whose best person is the right one, strangers left aside."""
    identified: float
    """Share of known probes called by their own name, over the threshold that one stranger in a hundred reaches."""
    strangers_above: int
    """On how many strangers' probes that threshold rests."""


class ClassifierComparison(msgspec.Struct, frozen=True):
    """All classifiers on the same photos."""

    people: int
    templates: int
    known_probes: int
    unknown_probes: int
    missed: int
    """Photos without a face; as probes, they count as not identified."""
    results: list[ClassifierResult]


def nearest_template(templates: Vectors, person: NDArray[np.int_], probes: Vectors) -> NDArray[np.float64]:
    """The similarity to the most similar template of each person: what a box does."""
    starts = np.searchsorted(person, np.arange(person[-1] + 1))
    scores: NDArray[np.float64] = np.maximum.reduceat((probes @ templates.T).astype(np.float64), starts, axis=1)
    return scores


def mean_template(templates: Vectors, person: NDArray[np.int_], probes: Vectors) -> NDArray[np.float64]:
    """The similarity to the mean of each person's templates."""
    means = np.stack([templates[person == i].mean(0) for i in range(person[-1] + 1)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    scores: NDArray[np.float64] = (probes @ means.T).astype(np.float64)
    return scores


def neighbours(templates: Vectors, person: NDArray[np.int_], probes: Vectors) -> NDArray[np.float64]:
    """k-NN: the votes of the nearest templates, weighted by nearness; scikit-learn's."""
    found = importlib.import_module("sklearn.neighbors").KNeighborsClassifier(
        n_neighbors=min(NEIGHBOURS, len(templates)), weights="distance"
    )
    votes = found.fit(templates, person).predict_proba(probes)
    distances = found.kneighbors(probes)[0].mean(1)
    # Votes alone would be 1 for every stranger; of unit vectors, 1 - d²/2 is the cosine.
    scores: NDArray[np.float64] = votes * (1 - distances[:, None] ** 2 / 2)
    return scores


def support_vectors(templates: Vectors, person: NDArray[np.int_], probes: Vectors) -> NDArray[np.float64]:
    """A linear SVM per person against all others; scikit-learn's."""
    machine = importlib.import_module("sklearn.svm").LinearSVC(C=1.0, class_weight="balanced", random_state=0)
    scores = np.asarray(machine.fit(templates, person).decision_function(probes), np.float64)
    return np.stack([-scores, scores], 1) if scores.ndim == 1 else scores


CLASSIFIERS: dict[str, Classifier] = {
    "nearest template": nearest_template,
    "mean template": mean_template,
    f"k-NN, k = {NEIGHBOURS}": neighbours,
    "linear SVM": support_vectors,
}


def compare(parts: Split, embedded: EmbeddedFaces) -> ClassifierComparison:
    """Let every classifier name the same probes. People with no template that shows a face are not enrolled.

    Raises DatasetError when there are not two people.
    """
    own = {name: _faces(embedded.matrix(pictures)) for name, pictures in parts.enrolled.items()}
    names = [name for name, vectors in own.items() if len(vectors)]
    if len(names) < 2:
        raise DatasetError(f"two people or more must be enrolled, found {len(names)}: an SVM tells people apart")
    templates = np.concatenate([own[name] for name in names])
    person = np.repeat(np.arange(len(names)), [len(own[name]) for name in names])
    asked = {name: embedded.matrix(parts.known[name]) for name in names}
    owners = np.repeat(np.arange(len(names)), [len(asked[name]) for name in names])
    known = np.concatenate([asked[name] for name in names])
    strangers = embedded.matrix([p for pictures in parts.unknown.values() for p in pictures])
    return ClassifierComparison(
        people=len(names),
        templates=len(templates),
        known_probes=len(known),
        unknown_probes=len(strangers),
        missed=int(np.isnan(np.concatenate([known, strangers])[:, 0]).sum()),
        results=[_result(name, templates, person, (known, owners), strangers) for name in CLASSIFIERS],
    )


def _result(
    name: str,
    templates: Vectors,
    person: NDArray[np.int_],
    asked: tuple[Vectors, NDArray[np.int_]],
    strangers: Vectors,
) -> ClassifierResult:
    known, owners = asked
    classify = CLASSIFIERS[name]
    scores = _scored(classify, templates, person, known)
    foreign = np.sort(_scored(classify, templates, person, strangers).max(1))[::-1]
    right = (scores.argmax(1) == owners) & np.isfinite(scores.max(1))
    allowed = min(int(FALSE_POSITIVE_RATE * len(foreign) + 1e-9), len(foreign) - 1)
    identified = right & (scores.max(1) > foreign[allowed])
    return ClassifierResult(
        name, float(right.mean()), float(identified.mean()), int((foreign > foreign[allowed]).sum())
    )


def _scored(classify: Classifier, templates: Vectors, person: NDArray[np.int_], probes: Vectors) -> Any:
    """The scores of probes; minus infinity where there is no face."""
    seen = ~np.isnan(probes[:, 0])
    scores = np.full((len(probes), person[-1] + 1), -np.inf)
    if seen.any():
        scores[seen] = classify(templates, person, probes[seen])
    return scores


def _faces(vectors: Vectors) -> Vectors:
    return vectors[~np.isnan(vectors[:, 0])]


def winners(results: Sequence[ClassifierResult]) -> list[str]:
    """The classifiers that name most known people at the same rate of strangers."""
    best = max(result.identified for result in results)
    return [result.classifier for result in results if result.identified == best]
