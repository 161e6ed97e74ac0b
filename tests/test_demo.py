"""whosthere demo, from its command to its verdict."""

from pathlib import Path

import pytest

from edge.config import typed_yaml
from edge.galleries.file import open_gallery
from support.portraits import whosthere

pytest.importorskip("rich", reason="the demo's extra is not installed: pip install 'whosthere[demo]'")
pytest.importorskip("amqtt", reason="the demo's extra is not installed: pip install 'whosthere[demo]'")


@pytest.mark.slow(30)
def test_it_passes_with_the_int8_embedder(tmp_path: Path) -> None:
    """Galleries belong to their embedder: the people are enrolled with this one, and everybody is named by it."""
    result = whosthere("demo", "--plain", "--fast", "--embedder", "mobilefacenet-int8", "--output", tmp_path)

    assert result.exit_code == 0, result.output
    assert Path(typed_yaml.read(tmp_path / "config.yaml")["models"]["embedder"]).stem == "mobilefacenet-int8"
    assert open_gallery(tmp_path / "gallery.whg", None).header.embedder.name == "mobilefacenet-int8"
