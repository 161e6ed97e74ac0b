"""What the owner has said up to now, without prices: it needs no vectors, so that the page of visits has no numpy."""

from typing import Literal

import msgspec

from edge.config.loading import LoadedConfig
from edge.feedback.remembered import EmbedderFacts, embedder_facts
from edge.galleries.additions import additions_path, visits_in
from edge.galleries.corrections import Anchor, Ignored, read_corrections
from edge.galleries.sealed import open_header


class CorrectionLine(msgspec.Struct, frozen=True):
    """One correction of `visit corrections --json`."""

    id: str
    kind: Literal["rejected", "ignored", "template"]
    """Not this person; a stranger about whom nothing is published; or this person, with a template from the visit."""
    person_id: str | None
    """Null for a stranger."""
    person_name: str | None
    """Null: nobody of that id is in the gallery, so that it has no effect."""
    visit_id: str
    added_at: str
    miss_rate: float | None = None
    """At most this part of the person's own visits loses their name by it; null: the embedder is not calibrated."""
    spare: float | None = None
    """How far the person's own templates are from being denied; null: they have only one."""

    @property
    def meaning(self) -> str:
        """What it says about the visit, in a few words."""
        who = self.person_name or self.person_id
        return {"ignored": "is ignored", "template": f"was {who}", "rejected": f"was not {who}"}[self.kind]


class UndoneCorrection(msgspec.Struct, frozen=True):
    """A correction that was taken back."""

    id: str
    kind: Literal["rejected", "ignored", "template"]
    visit_id: str
    person_id: str | None


def said_so_far(loaded: LoadedConfig, embedder: EmbedderFacts | None = None) -> list[CorrectionLine]:
    """Templates from visits, rejected visits, ignored strangers, without their prices. Raises WhosthereError."""
    known = embedder or embedder_facts(loaded)
    path, keys = loaded.gallery_path, loaded.gallery_keys
    names = {one.id: one.name for one in open_header(path, known.id, keys).people} if path.exists() else {}
    corrections, additions = read_corrections(path, known.id, known.dimensions), additions_path(path)
    return [
        *(
            CorrectionLine(visit, "template", person.id, names.get(person.id), visit, template.added_at)
            for person in (open_header(additions, None, keys).people if additions.exists() else [])
            for visit, template in zip(visits_in(person), person.templates, strict=True)
        ),
        *(_rejected(anchor, names.get(anchor.person_id)) for anchor in corrections.anchors),
        *(_ignored(one) for one in corrections.ignored),
    ]


def _rejected(one: Anchor, name: str | None) -> CorrectionLine:
    return CorrectionLine(one.id, "rejected", one.person_id, name, one.visit_id, one.added_at)


def _ignored(one: Ignored) -> CorrectionLine:
    return CorrectionLine(one.id, "ignored", None, None, one.visit_id, one.added_at)
