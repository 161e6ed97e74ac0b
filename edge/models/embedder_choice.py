"""Which file embeds faces: `models.embedder: auto` takes the bundled network in int8 where the CPU gains from it.

Both files give nearly the same vectors, so that galleries, strangers and corrections stay valid, whichever box made
them: they are tied to the float32 file's hash. The card says so, under `int8`.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from edge.config.sections import ModelSettings
from edge.models import card as cards
from edge.models.card import Card

AUTO = "auto"
BUNDLED_EMBEDDER = "mobilefacenet"
CPUINFO = Path("/proc/cpuinfo")
DOT_PRODUCTS = ("avx512_vnni", "avx_vnni", "asimddp")
"""What Linux calls the instructions that multiply four bytes at once and add the products up, on x86 and on ARM."""
INT8_RUNTIME = "ai_edge_litert"
"""The package of the runtime with fast int8 kernels."""


class EmbedderChoice(NamedTuple):
    """The embedder to load."""

    path: Path
    """Where its card is."""
    int8: bool
    """Whether to run the file that the card names under `int8`."""
    why: str
    """Why `auto` has chosen this one; empty: config.yaml names it."""

    @property
    def card(self) -> Card:
        """What the embedder in use measured; name and hash are those that galleries are tied to. Raises ModelError."""
        return cards.read_int8(self.path) if self.int8 else cards.read_card(self.path)


def choose_embedder(settings: ModelSettings, base: Path | None = None) -> EmbedderChoice:
    """The embedder that the settings name. `base` is the folder that card paths are relative to. Raises ModelError."""
    if settings.embedder != AUTO:
        return EmbedderChoice(cards.find(settings.embedder, base), int8=False, why="")
    path, instruction = cards.find(BUNDLED_EMBEDDER), dot_products()
    if instruction is None:
        return EmbedderChoice(path, int8=False, why="float32, as this CPU has no dot products of bytes")
    if not settings.xnnpack:
        return EmbedderChoice(path, int8=False, why="float32, as models.xnnpack is false")
    if find_spec(INT8_RUNTIME) is None:
        return EmbedderChoice(path, int8=False, why="float32, as tflite-runtime has no fast kernels for int8")
    return EmbedderChoice(path, int8=True, why=f"int8, as this CPU has dot products of bytes ({instruction})")


def embedder_card(settings: ModelSettings, base: Path | None = None) -> Card:
    """The card of the embedder that the settings name, without loading its network. Raises ModelError."""
    return choose_embedder(settings, base).card


def dot_products() -> str | None:
    """The instructions for dot products of bytes that this CPU has; None: none, or the system does not say."""
    try:
        words = set(CPUINFO.read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return None
    return next((name for name in DOT_PRODUCTS if name in words), None)
