"""The options of `convert` for networks of ONNX and PyTorch, and for how training normalised their pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from converter.commands import options
from converter.importing.originals import SUFFIXES, ImportRequest
from converter.licence import LONGEST
from edge.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])
Numbers = tuple[float, ...]
Scale = tuple[Numbers, Numbers]
"""Mean and standard deviation: one number each, or one per channel."""


def numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> Numbers | None:
    """One number, or one per channel, separated by commas. Raises BadParameter."""
    if value is None:
        return None
    try:
        found = tuple(float(part) for part in value.split(","))
    except ValueError:
        found = ()
    if len(found) not in {1, 3} or not all(abs(number) < 1e4 for number in found):
        raise click.BadParameter(f"found {value!r}; allowed: one number, or three separated by commas", ctx, param)
    return found


def file_name(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The beginning of a file's name. Raises BadParameter when it would lead elsewhere, or nothing can have it."""
    if value is None:
        return None
    plain = value.isprintable() and "/" not in value and not value.startswith(".")
    if not plain or not 0 < len(value.encode()) <= LONGEST:
        text = f"found {value!r}; allowed: the beginning of a file's name: 1 to {LONGEST} bytes, no slash, not hidden"
        raise click.BadParameter(text, ctx, param)
    return value


def one_line(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A text for the cards. Raises BadParameter."""
    if value is None or (value.isprintable() and len(value) <= LONGEST):
        return value
    raise click.BadParameter(f"found {len(value)} characters; allowed: one line of at most {LONGEST}", ctx, param)


def options_of_imports(command: F) -> F:
    """--mean, --std, --size, --output-name and --build."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--mean", callback=numbers, metavar="M[,M,M]",
        help="Instead of --range, together with --std: what the training subtracted from pixels of 0 to 255. Three "
        "numbers, one per channel in the network's order, become a part of an ONNX or PyTorch network.",
    ),
    click.option(
        "--std", callback=numbers, metavar="S[,S,S]",
        help="What the training divided by afterwards, also on the scale of 0 to 255. ImageNet's 0.485 and 0.229 are "
        "123.675 and 58.395.",
    ),
    click.option(
        "--size", type=click.IntRange(16, 1024), metavar="PIXELS",
        help="ONNX and PyTorch: the side of MODEL's square pictures, where the file does not say it.",
    ),
    click.option(
        "--output-name", metavar="NAME",
        help="ONNX and PyTorch: which output is the embedding, where MODEL has several. Without it, they are listed.",
    ),
    click.option(
        "--build", type=options.FILE, metavar="FILE",
        help="PyTorch weights (a state_dict): a Python file with a function build(), without arguments, that returns "
        "the torch.nn.Module they belong to. It runs in the environment of the import, with PyTorch and nothing else.",
    ),
)  # fmt: skip


def is_foreign(model: Path) -> bool:
    """Whether the tools of another framework are needed to read it."""
    return model.name.lower().endswith(SUFFIXES) and not model.is_dir()


def scaling(mean: Numbers | None, std: Numbers | None, pixels: str | None) -> Scale | None:
    """(mean, standard deviation) per channel, or one for all; None: neither is given. Raises UsageError."""
    if mean is None and std is None:
        return None
    if mean is None or std is None or pixels is not None:
        raise UsageError("--mean and --std belong together, and replace --range: give both of them, without --range")
    if min(std) <= 0:
        raise UsageError(f"--std: found {min(std):g}; allowed: numbers above 0")
    if max(std) < 1:
        wanted = " --std ".join(",".join(f"{255 * number:g}" for number in given) for given in (mean, std))
        raise UsageError(f"--std: found {max(std):g}; allowed: the scale of pixels 0 to 255, here --mean {wanted}")
    if len(set(mean)) == len(set(std)) == 1:
        return mean[:1], std[:1]
    return (mean * 3)[:3], (std * 3)[:3]


def request_of(feeding: dict[str, Any], scale: Scale | None, cut: str | None) -> ImportRequest:
    """What the options say about the file. Raises UsageError."""
    mean, std = scale if scale and len(scale[0]) == 3 else (None, None)
    channels = 1 if feeding["channels"] == "grey" else 3
    if mean is not None and channels == 1:
        raise UsageError("--mean, --std: three numbers found for --channels grey; allowed: one")
    return ImportRequest(feeding["size"], feeding["output_name"], channels, feeding["build"], mean, std, cut)


def refuse_for_others(model: Path, feeding: dict[str, Any], scale: Scale | None) -> None:
    """Raise UsageError when an option was given that only ONNX and PyTorch have."""
    for name in ("size", "output_name", "build"):
        if feeding[name] is not None:
            raise UsageError(
                f"--{name.replace('_', '-')}: it is for .onnx files and those of PyTorch; found {model.name}"
            )
    if scale and len(scale[0]) == 3:
        raise UsageError(f"--mean, --std: one number each is allowed for {model.name}; three are for ONNX and PyTorch")
