"""Galleries signed with real OpenSSH keys, and encrypted to them."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.config.sections import GalleryKeys
from edge.errors import GalleryError
from edge.galleries import signature
from edge.galleries.encryption import is_encrypted
from edge.galleries.file import decode, encode, identity_of, open_gallery, write_gallery
from edge.galleries.signature import MAX_SIGNATURE, SignatureError, sign, verify
from support.people import gallery_of, somebody

FAMILY = gallery_of(ada=somebody(1), ben=somebody(2))


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_key(tmp_path_factory.mktemp("keys") / "ada")


def new_key(path: Path, kind: str = "ed25519") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", path.name, "-f", str(path)], check=True)
    return path


def allowing(key: Path, folder: Path, options: str = 'namespaces="whosthere-gallery"') -> GalleryKeys:
    path = folder / "allowed_signers"
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    path.write_text(f"{key.name}@example {options} {public}\n")
    return GalleryKeys(path)


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_signed_gallery_names_its_signer(tmp_path: Path, kind: str) -> None:
    key = new_key(tmp_path / "ada", kind)
    path = tmp_path / "family.whg"
    write_gallery(FAMILY, path, key)
    opened = open_gallery(path, None, allowing(key, tmp_path))
    assert opened.signer == "ada@example"
    assert identity_of(opened) == identity_of(FAMILY)
    assert open_gallery(path, None).signer is None


def test_the_same_gallery_signed_with_ed25519_is_the_same_bytes(key: Path) -> None:
    assert encode(FAMILY, key) == encode(FAMILY, key)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ('namespaces="file"', "not permitted for use in signature namespace"),
        ('valid-before="20200101"', "does not allow, or not now"),
        ('valid-after="20990101"', "does not allow, or not now"),
    ],
)
def test_a_key_for_something_else_or_another_time_may_not_sign(
    tmp_path: Path, key: Path, options: str, complaint: str
) -> None:
    with pytest.raises(SignatureError, match=f"family: .*{complaint}"):
        decode(encode(FAMILY, key), "family", None, allowing(key, tmp_path, options))


def test_strangers_forgers_and_the_unsigned_are_refused(tmp_path: Path, key: Path) -> None:
    keys = allowing(key, tmp_path)
    with pytest.raises(SignatureError, match="does not allow"):
        decode(encode(FAMILY, new_key(tmp_path / "mallory")), "family", None, keys)
    with pytest.raises(SignatureError, match=r"not signed, but gallery\.allowed_signers is set"):
        decode(encode(FAMILY), "family", None, keys)
    # The signature of one gallery on another of the same size.
    signed, other = encode(FAMILY, key), encode(gallery_of(ada=somebody(1), ben=somebody(3)), key)
    start = signed.index(b"-----BEGIN SSH SIGNATURE")
    end = signed.index(b"-----END SSH SIGNATURE-----\n")
    swapped = other.replace(other[other.index(b"-----BEGIN SSH SIGNATURE") :][: end - start], signed[start:end])
    with pytest.raises(SignatureError, match="does not match the contents"):
        decode(swapped, "family", None, keys)
    with pytest.raises(SignatureError, match=r"no such file, but gallery\.allowed_signers names it"):
        decode(signed, "family", None, GalleryKeys(tmp_path / "nowhere"))


def test_what_cannot_sign_is_named(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="no such SSH key"):
        sign(b"", tmp_path / "none")
    (tmp_path / "text").write_text("not a key")
    with pytest.raises(SignatureError, match="text: cannot sign: "):
        sign(b"", tmp_path / "text")


def test_an_encrypted_gallery_opens_with_the_boxes_key_alone(tmp_path: Path, key: Path) -> None:
    pytest.importorskip("pyrage")
    box, other = new_key(tmp_path / "box"), new_key(tmp_path / "other")
    path = tmp_path / "family.whg"
    write_gallery(FAMILY, path, key, [box.with_suffix(".pub").read_text()])
    assert is_encrypted(path.read_bytes())
    assert b'"ada"' not in path.read_bytes()
    trusted = allowing(key, tmp_path).allowed_signers
    assert open_gallery(path, None, GalleryKeys(trusted, box)).signer == "ada@example"
    with pytest.raises(GalleryError, match=r"family\.whg: encrypted; set gallery\.identity_file"):
        open_gallery(path, None)
    with pytest.raises(GalleryError, match="encrypted to another key, or is damaged"):
        open_gallery(path, None, GalleryKeys(None, other))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(GalleryError, match="cannot be decrypted"):
        open_gallery(path, None, GalleryKeys(None, box))
    with pytest.raises(GalleryError, match="as a key to encrypt to"):
        write_gallery(FAMILY, path, None, ["ssh-dss AAAA"])
    with pytest.raises(GalleryError, match=r"none: gallery\.identity_file cannot be read"):
        open_gallery(path, None, GalleryKeys(None, tmp_path / "none"))


def test_the_signature_is_of_the_message_and_by_the_first_principal_of_the_key(tmp_path: Path, key: Path) -> None:
    allowed = allowing(key, tmp_path).allowed_signers
    assert allowed is not None
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    allowed.write_text(f"ada@example,admin@example {public}\nada@work {public}\n")
    signed = sign(b"a message", key)
    assert verify(b"a message", signed, allowed) == "ada@example"
    with pytest.raises(SignatureError, match=r"does not match the contents: .+"):
        verify(b"another message", signed, allowed)


def test_a_key_that_is_not_allowed_is_named_so_that_it_can_be_compared(tmp_path: Path, key: Path) -> None:
    stranger = new_key(tmp_path / "mallory")
    allowed = allowing(key, tmp_path).allowed_signers
    assert allowed is not None
    shown = subprocess.run(["ssh-keygen", "-l", "-f", stranger], capture_output=True, text=True, check=True).stdout
    fingerprint = shown.split()[1]
    with pytest.raises(
        SignatureError, match=rf"signed with the key \w+ key {re.escape(fingerprint)}, which {allowed} "
    ):
        verify(b"x", sign(b"x", stranger), allowed)


def test_a_signature_longer_than_any_is_not_even_looked_at(tmp_path: Path, key: Path) -> None:
    allowed = allowing(key, tmp_path).allowed_signers
    assert allowed is not None
    with pytest.raises(SignatureError, match=f"of {MAX_SIGNATURE + 1} bytes; allowed: {MAX_SIGNATURE}"):
        verify(b"x", bytes(MAX_SIGNATURE + 1), allowed)
    with pytest.raises(SignatureError, match="does not match the contents"):
        verify(b"x", bytes(MAX_SIGNATURE), allowed)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script in the place of ssh-keygen; its second argument is what it is to do."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")

    def put(script: str) -> None:
        path = folder / "ssh-keygen"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return put


def test_what_ssh_keygen_complains_of_is_passed_on_in_one_line(
    stand_in: Callable[[str], None], tmp_path: Path, key: Path
) -> None:
    stand_in("printf 'Signing data on file\\n  no \\033[1magent  \\n\\nWrite signature to x\\nsorry\\n' >&2; exit 3")
    with pytest.raises(SignatureError, match=r"ada: cannot sign: no \?\[1magent; sorry$"):
        sign(b"x", key)
    stand_in("exit 3")
    with pytest.raises(SignatureError, match=r"cannot sign: ssh-keygen ended with 3$"):
        sign(b"x", key)
    stand_in("printf '%0400d' 1 >&2; exit 3")
    with pytest.raises(SignatureError, match=r"cannot sign: 0{299}1$"):
        sign(b"x", key)


def test_neither_an_empty_signature_nor_one_of_a_failed_signing_counts(
    stand_in: Callable[[str], None], key: Path
) -> None:
    stand_in("exit 0")
    with pytest.raises(SignatureError, match="cannot sign: ssh-keygen ended with 0"):
        sign(b"x", key)
    for end, code in (("exit 1", 1), ("exit 255", 255), ("kill -9 $$", -9)):
        stand_in(f"echo half; {end}")
        with pytest.raises(SignatureError, match=f"cannot sign: ssh-keygen ended with {code}"):
            sign(b"x", key)
    stand_in("echo whole; exit 0")
    assert sign(b"x", key) == b"whole\n"


@pytest.mark.parametrize(
    ("refusing", "complaint"),
    [
        ("check-novalidate", "does not match the contents"),
        ("find-principals", "signed with the key ED25519 key SHA256:abc, which .* does not allow, or not now"),
        ("verify", "the signature of ada is not valid"),
    ],
)
@pytest.mark.parametrize(("end", "code"), [("exit 1", 1), ("exit 255", 255), ("kill -9 $$", -9)])
def test_every_check_of_ssh_keygen_has_to_pass(
    stand_in: Callable[[str], None], tmp_path: Path, refusing: str, complaint: str, end: str, code: int
) -> None:
    """It answers as if all were well, but fails or is killed."""
    allowed = tmp_path / "allowed_signers"
    allowed.write_text("")
    good = """case $2 in
        check-novalidate) echo 'Good "whosthere-gallery" signature with ED25519 key SHA256:abc';;
        find-principals) echo ada,admin; echo work;;
    esac"""
    stand_in(good)
    assert verify(b"x", b"signature", allowed) == "ada"
    stand_in(f"{good}\n[ $2 = {refusing} ] && {end}; exit 0")
    with pytest.raises(SignatureError, match=f"{complaint}: ssh-keygen ended with {code}$"):
        verify(b"x", b"signature", allowed)


def test_a_key_without_a_principal_may_not_sign(stand_in: Callable[[str], None], tmp_path: Path) -> None:
    allowed = tmp_path / "allowed_signers"
    allowed.write_text("")
    stand_in("exit 0")
    with pytest.raises(SignatureError, match="does not allow, or not now: ssh-keygen ended with 0"):
        verify(b"x", b"signature", allowed)


def test_an_ssh_keygen_that_hangs_or_is_missing_is_said(
    stand_in: Callable[[str], None], key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signature, "TIMEOUT_S", 0.05)
    stand_in("exec sleep 20")
    with pytest.raises(SignatureError, match=r"ssh-keygen -Y sign did not finish within 0 s"):
        sign(b"x", key)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SignatureError, match="ssh-keygen is missing; install it: apt install openssh-client"):
        sign(b"x", key)
