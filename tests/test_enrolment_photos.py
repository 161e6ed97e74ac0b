"""Enrolment on photos made of lfw-dev: bystanders of all sizes in all places, and the person's own other photos."""

import re

import pytest
from click.testing import CliRunner

from support.data_sets import data_set
from tools.enrolment_photos import main

PEOPLE = 12


@pytest.mark.slow
@pytest.mark.data
def test_no_bystander_is_enrolled_beside_the_persons_own_photos_and_none_without_a_word() -> None:
    images = data_set("lfw-dev") / "images"
    done = CliRunner().invoke(main, [str(images), "--people", str(PEOPLE)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    print(done.output)
    assert "WRONGLY taken by likeness" not in done.output
    assert "WRONGLY taken without a word" not in done.output
    assert "rightly taken without a word" not in done.output
    own = [line for line in done.output.splitlines() if "beside two photos" in line]
    assert [line.split(" ")[1] for line in own] == ["snapshots", "crowds"]
    for line in own:
        [right] = re.findall(r"(\d+) rightly taken by likeness", line)
        assert int(right) >= PEOPLE - 2, line
        assert "WRONGLY" not in line
    close = [line for line in done.output.splitlines() if re.match(r"close crops of (0\.9|1\.\d+) box", line)]
    assert len(close) == 5
    assert not any("several" in line for line in close[:4]), close
