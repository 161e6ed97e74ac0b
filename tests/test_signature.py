"""Galleries signed with real OpenSSH keys, and encrypted to them."""

import subprocess
from pathlib import Path

import pytest

from edge.config.sections import GalleryKeys
from edge.errors import GalleryError
from edge.galleries.encryption import is_encrypted
from edge.galleries.file import decode, encode, identity_of, open_gallery, write_gallery
from edge.galleries.signature import SignatureError, sign
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
        ('valid-before="20200101"', "does not allow, or not at this time"),
        ('valid-after="20990101"', "does not allow, or not at this time"),
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
    with pytest.raises(SignatureError, match="not one of these contents"):
        decode(swapped, "family", None, keys)
    with pytest.raises(SignatureError, match=r"no such file; gallery\.allowed_signers names it"):
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
    assert b"ada" not in path.read_bytes()
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
