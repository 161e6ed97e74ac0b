"""The small data set that the tutorials use."""

from pathlib import Path

from converter.people_folder import photos_by_person
from support.converting import run
from support.portraits import analyser, read_picture


def test_people_new_photos_of_them_and_a_clip(tmp_path: Path) -> None:
    code, printed, _ = run("example-data", tmp_path / "a", "--photos", "4", "--new", "1")

    assert code == 0
    assert "4 people, 4 photos each" in printed
    people, new = photos_by_person(tmp_path / "a" / "people"), photos_by_person(tmp_path / "a" / "new")
    assert list(people) == list(new) == ["Barack Obama", "Eileen Collins", "Grace Hopper", "Joe Biden"]
    assert {name: (len(people[name]), len(new[name])) for name in people} == dict.fromkeys(people, (4, 1))
    assert (tmp_path / "a" / "clip.mp4").stat().st_size > 100_000
    for photo in [*people["Grace Hopper"], *new["Barack Obama"]]:
        assert len(analyser().portraits(read_picture(photo))) == 1, photo
    different = {photo.read_bytes() for photos in (*people.values(), *new.values()) for photo in photos}
    assert len(different) == 20


def test_one_command_writes_the_same_photos_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run("example-data", tmp_path / name, "--photos", "2", "--new", "1")

    written = [sorted((tmp_path / name).rglob("*.jpg")) for name in ("a", "b")]
    assert len(written[0]) == 12
    assert [path.read_bytes() for path in written[0]] == [path.read_bytes() for path in written[1]]


def test_nothing_is_written_beside_other_files(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.jpg").write_text("mine")

    code, _, said = run("example-data", tmp_path / "mine")

    assert code == 1
    assert "mine: exists already; give a new folder" in said
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["photo.jpg"]
