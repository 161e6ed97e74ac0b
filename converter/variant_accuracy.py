"""What the variants of one network cost in verification accuracy."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from converter.convert import VariantResult, set_aside
from converter.datasets import PicturePair, pictures_of
from converter.embeddings import CachingEmbedder, embed_with_all
from converter.variants import Variant
from converter.verification import verify
from edge.config.faces import DetectSettings
from edge.config.sections import ModelSettings


def judged_on_pairs(
    results: Sequence[VariantResult], pairs: Sequence[PicturePair], max_loss: float
) -> tuple[list[VariantResult], dict[Variant, float]]:
    """Set aside the variants that lose more than `max_loss` (a share of the pairs) against fp32; every accuracy.

    Without fp32 among them, the most accurate one is the reference. Raises PhotoError, Interrupted.
    """
    made = [result for result in results if result.card]
    embedders = [CachingEmbedder(ModelSettings(embedder=result.card), DetectSettings()) for result in made]
    embedded = embed_with_all(embedders, pictures_of(pairs)) if made else []
    accuracies = {result.variant: verify(pairs, faces).accuracy for result, faces in zip(made, embedded, strict=True)}
    return judged_by(accuracies, results, max_loss), accuracies


def judged_by(
    accuracies: Mapping[Variant, float], results: Sequence[VariantResult], max_loss: float
) -> list[VariantResult]:
    """The results; those that lose too much are in the folder `unfit`, and say why."""
    reference = accuracies.get("fp32", max(accuracies.values(), default=0.0))
    judged = []
    for result in results:
        loss = reference - accuracies.get(result.variant, reference)
        # Accuracies are shares of a few thousand pairs; rounding must not decide.
        if loss <= max_loss + 1e-9:
            judged.append(result)
            continue
        reason = f"its accuracy is lower by {loss:.2%} of the pairs; at most {max_loss:.2%} is allowed"
        judged.append(replace(result, unfit=f"{result.unfit}; {reason}") if result.unfit else set_aside(result, reason))
    return judged
