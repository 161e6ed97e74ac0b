"""Which views of a person their templates show, and which are missing.

Glasses are not among them: no rule tried here tells them well enough. Of 160 faces of lfw-dev, 20 with glasses, the
best (edges on the bridge of the nose and under the eyes) finds 5 of the 20 if one in ten of its finds may be wrong.
"""

from collections.abc import Sequence

import msgspec

from edge.galleries.gallery import Template

TURNED_DEG = 15.0
"""A head that is turned at least so far shows a side: about a quarter of the faces of lfw-dev."""
DARK_BELOW = 70.0
"""Mean luma of the face, of 255: 2 % of the faces of lfw-dev are darker."""


class Coverage(msgspec.Struct, frozen=True):
    """How many templates show each view; a template may count for several."""

    front: int
    left: int
    """Turned to the left of the picture."""
    right: int
    dark: int
    infrared: int
    not_known: int
    """Templates of earlier releases, which recorded neither pose nor light."""

    @property
    def _views(self) -> tuple[tuple[str, int], ...]:
        return (
            ("from the front", self.front),
            ("turned left", self.left),
            ("turned right", self.right),
            ("dark", self.dark),
            ("infrared or grey", self.infrared),
        )

    def in_words(self) -> str:
        """Say what is there and what is missing."""
        shown = [f"{view} ({count})" for view, count in self._views if count]
        missing = [view for view, count in self._views if not count]
        parts = [", ".join(shown)] if shown else []
        parts += [f"missing: {', '.join(missing)}"] if missing else []
        parts += [f"not recorded: {self.not_known}"] if self.not_known else []
        return "; ".join(parts)


def coverage(templates: Sequence[Template]) -> Coverage:
    """Count the views that a person's templates show."""
    turned = [t.yaw for t in templates if t.yaw is not None]
    return Coverage(
        front=sum(abs(yaw) < TURNED_DEG for yaw in turned),
        left=sum(yaw <= -TURNED_DEG for yaw in turned),
        right=sum(yaw >= TURNED_DEG for yaw in turned),
        dark=sum(t.brightness is not None and t.brightness < DARK_BELOW for t in templates),
        infrared=sum(t.infrared for t in templates),
        not_known=sum(t.yaw is None or t.brightness is None for t in templates),
    )
