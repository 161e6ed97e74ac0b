"""Numbers of options: within their range, and none that is no number, in every command of both command lines."""

import click
import pytest

from converter.__main__ import main as converter_main
from edge.__main__ import main as edge_main
from edge.terminal import NumberRange


def options_with(kind: type[click.ParamType]) -> list[tuple[str, click.Parameter]]:
    """`command --option` and the option, of every command whose options have that type."""
    found = []
    for group in (edge_main, converter_main):
        context = click.Context(group)
        waiting = [(name, group.get_command(context, name)) for name in group.list_commands(context)]
        while waiting:
            name, command = waiting.pop()
            assert command is not None
            if isinstance(command, click.Group):
                waiting += [
                    (f"{name} {one}", command.get_command(context, one)) for one in command.list_commands(context)
                ]
            found += [(f"{name} {p.opts[0]}", p) for p in command.params if isinstance(p.type, kind)]
    return found


DECIMALS = options_with(click.FloatRange) + options_with(click.types.FloatParamType)


@pytest.mark.parametrize(("name", "option"), DECIMALS, ids=[name for name, _ in DECIMALS])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "NaN"])
def test_what_is_no_number_is_refused(name: str, option: click.Parameter, value: str) -> None:
    with pytest.raises(click.BadParameter):
        option.type.convert(value, option, None)


def test_what_is_wrong_with_it_is_said() -> None:
    with pytest.raises(click.BadParameter, match="found 'nan'; allowed: a number"):
        NumberRange(0, 1).convert("nan", None, None)
    assert NumberRange(0).convert("3.5", None, None) == 3.5


@pytest.mark.parametrize(("name", "option"), options_with(click.types.IntParamType))
def test_whole_numbers_have_a_range(name: str, option: click.Parameter) -> None:
    """A seed of -1, or a number of thousands of digits, is refused before anything computes with it."""
    assert isinstance(option.type, click.IntRange), name
