"""What the outputs of a label classifier stand for: a file or folder that says it, else their numbers."""

from pathlib import Path

from edge.errors import ModelError

LABELS = "labels.txt"
"""Read beside a classifier when nothing else is given; `train` writes it."""


def label_names(said: Path | None, model: Path, count: int) -> list[str]:
    """One name per output of a classifier.

    `said` is a text file with a name per line, or the folder of people that it was trained on: its folders in
    code-point order, as Keras reads them. None: the file labels.txt beside the model, or the numbers from 0.
    Raises ModelError when the names do not go with the outputs.
    """
    beside = model.parent / LABELS
    where = said or (beside if beside.is_file() else None)
    if where is None:
        return [str(number) for number in range(count)]
    names = _folders(where) if where.is_dir() else _lines(where)
    if len(names) != count:
        raise ModelError(f"{where}: found {len(names)} labels; allowed: {count}, one per output of {model}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ModelError(f"{where}: found {twice[0]!r} twice; allowed: each label once")
    return names


def _folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read as labels, one per line in UTF-8: {error}") from error
    return [line.strip() for line in lines if line.strip()]
