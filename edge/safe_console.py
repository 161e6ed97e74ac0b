"""A `rich` console whose texts are shown and never obeyed. Needs an extra with `rich`."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from edge.terminal import safe_lines


class SafeConsole(Console):
    """Shows names, paths and fields of cards as they are: no control characters, and no markup such as `[red]`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(safe_lines(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        if isinstance(renderable, Text):
            shown = safe_lines(renderable.plain)
            if shown != renderable.plain:
                renderable = Text(shown, renderable.style)
        return super().render(renderable, options)
