"""One picture from a camera, on its way through capture, faces and visits."""

from collections.abc import Callable

from edge.records import Image


class Frame:
    """One picture from a camera."""

    __slots__ = ("_preview", "captured_at", "glimpse", "image")

    def __init__(self, image: Image, preview: Image | Callable[[], Image], captured_at: float) -> None:
        """`preview` is a picture, or makes it when somebody asks for it: most frames show nothing new."""
        self.image = image
        """Full resolution, after rotation, mirroring and region of interest."""
        self.glimpse = image if callable(preview) else preview
        """The smallest picture of the scene that costs nothing more, for motion."""
        self.captured_at = captured_at
        """Monotonic seconds; for a recording replayed as fast as it goes, in the recording's own time."""
        self._preview = preview

    @property
    def preview(self) -> Image:
        """The same field of view at lower resolution, for detection; may be `image` itself."""
        if callable(self._preview):
            self._preview = self._preview()
        return self._preview

    @property
    def scale(self) -> float:
        """Pixels of `image` for each pixel of `preview`."""
        return float(self.image.shape[1] / self.preview.shape[1])
