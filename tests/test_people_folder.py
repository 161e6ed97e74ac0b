"""The folder of people: enrolment, training and evaluation read the same people and photos from it."""

from pathlib import Path

import pytest

from converter.people_folder import PeopleError, photos_by_person, read_people
from converter.person_pictures import _exif_date
from support.album import make_album

PHOTOS = (
    *("Bob/10.png", "Bob/2.JPG", "Bob/at home/1.webp", "ada/1.tif", "Zoe/phone.heic"),
    *(".hidden/1.jpg", "Bob/.thumbnails/1.jpg", "Bob/._2.jpg", "Bob/notes.txt", "Empty/readme.md"),
)


def make_files(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_everybody_reads_the_same_photos(tmp_path: Path) -> None:
    make_files(tmp_path, *PHOTOS)
    expected = {
        "Bob": [tmp_path / "Bob" / name for name in ("2.JPG", "10.png", "at home/1.webp")],
        "Zoe": [tmp_path / "Zoe" / "phone.heic"],
        "ada": [tmp_path / "ada" / "1.tif"],
    }

    assert photos_by_person(tmp_path) == expected
    enrolled = read_people(tmp_path, videos=False).people
    assert {person.name: person.pictures for person in enrolled} == expected | {"Empty": []}


def test_people_to_enrol_come_in_natural_order_and_those_of_a_data_set_by_code_point(tmp_path: Path) -> None:
    make_files(tmp_path, "p10/1.jpg", "p2/1.jpg", "Q/1.jpg")

    assert [person.name for person in read_people(tmp_path, videos=False).people] == ["p2", "p10", "Q"]
    assert list(photos_by_person(tmp_path)) == ["Q", "p10", "p2"]


def test_videos_count_only_when_they_are_asked_for(tmp_path: Path) -> None:
    make_files(tmp_path, "Ada/1.jpg", "Ada/door.mp4")

    [person] = read_people(tmp_path, videos=True).people
    assert [picture.name for picture in person.pictures] == ["1.jpg", "door.mp4"]
    [person] = read_people(tmp_path, videos=False).people
    assert [picture.name for picture in person.pictures] == ["1.jpg"]


def test_a_photo_outside_any_folder_is_a_mistake_in_enrolment_alone(tmp_path: Path) -> None:
    make_files(tmp_path, "Ada/1.jpg", "lost.jpg")

    [mistake] = read_people(tmp_path, videos=False).mistakes
    assert "lost.jpg: a photo outside any person's folder" in mistake
    assert list(photos_by_person(tmp_path)) == ["Ada"]


def test_a_folder_without_people_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "none"):
        with pytest.raises(PeopleError, match=str(folder)):
            photos_by_person(folder)
        with pytest.raises(PeopleError, match=str(folder)):
            read_people(folder, videos=False)


def test_every_mistake_is_reported_and_stops_nobody_else(tmp_path: Path) -> None:
    people = make_album(tmp_path / "people")
    (people / "lost.jpg").write_bytes(b"")
    (people / "Barack Obama").mkdir()
    (people / "Joe Biden" / "person.yaml").write_text("consent: {given_by: Joe}\nexpirse: 2026-01-01\n")
    (people / "\u202eeve").mkdir()
    found = read_people(people, videos=False)
    text = "\n".join(found.mistakes)
    assert "lost.jpg: a photo outside any person's folder" in text
    assert "'Barack Obama' is also the name of" in text
    assert "consent.given_on: missing" in text
    assert "expirse: no such key; did you mean 'expires'?" in text
    assert "cannot be a person's name" in text
    assert [person.name for person in found.people] == ["Barack Obama", "Grace Hopper"]


def test_folders_of_a_network_drive_are_no_people_and_this_is_said(tmp_path: Path) -> None:
    make_files(
        tmp_path, "Ada/1.jpg", "Ada/@eaDir/1.jpg/thumb.jpg", "@eaDir/1.jpg", "__MACOSX/Ada/1.jpg", "#recycle/2.jpg"
    )
    found = read_people(tmp_path, videos=False)
    assert [(person.name, len(person.pictures)) for person in found.people] == [("Ada", 1)]
    assert {Path(line.split(":")[0]).name for line in found.left_out} == {"@eaDir", "__MACOSX", "#recycle"}
    assert len(found.left_out) == 4
    assert list(photos_by_person(tmp_path)) == ["Ada"]


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "2026:13:01 00:00:00", "0001:01:01 00:00:00", "None", ""])
def test_exif_dates_that_are_none_are_not_written(text: str) -> None:
    assert _exif_date(text) is None
    assert _exif_date("2026:02:03 04:05:06") == "2026-02-03T04:05:06Z"


def test_what_a_data_set_loses_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("Ada", "Nobody", "@eaDir", ".git", "Ada/lost+found", "Ada/more"):
        (tmp_path / folder).mkdir()
    for file in ("Ada/1.jpg", "Ada/more/2.jpg", "Ada/notes.txt", "Ada/clip.mp4", "Ada/lost+found/3.jpg"):
        (tmp_path / file).write_bytes(b"")
    for file in ("overview.jpg", "README.txt", "Thumbs.db", ".hidden"):
        (tmp_path / file).write_bytes(b"")
    (tmp_path / "Ada/linked").symlink_to(tmp_path / "Nobody")

    assert photos_by_person(tmp_path) == {"Ada": [tmp_path / "Ada/1.jpg", tmp_path / "Ada/more/2.jpg"]}

    said = {line.partition(": left out")[0] for line in capsys.readouterr().err.splitlines()}
    silent = {"Thumbs.db", ".hidden"}
    lost = {"Nobody", "@eaDir", ".git", "Ada/lost+found", "Ada/notes.txt", "Ada/clip.mp4", "overview.jpg", "README.txt"}
    assert said == {str(tmp_path / name) for name in (lost | {"Ada/linked"}) - silent}
