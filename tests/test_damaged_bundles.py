"""Thousands of bundles that are damaged or forged: each refused with its reason, and the daemon never disturbed."""

import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load, save

from edge.errors import GalleryError
from edge.galleries.daemon_status import read_status
from edge.galleries.file import decode, encode
from edge.galleries.history import History
from edge.galleries.sealed import DIGEST, HEADER, SIGNATURE, TENSOR, signed_text
from edge.galleries.signature import sign
from edge.galleries.tensors import Tensor
from support.box import Box, bundle, face, family, keeping
from support.fuzzing import cases
from support.sshd import new_key

HOW_MANY = cases(200)


@dataclass(frozen=True)
class Forger:
    """Makes files that are whole and rightly signed, whatever they say."""

    key: Path

    def forge(self, rows: "np.ndarray[Any, Any] | None" = None, **changes: Any) -> bytes:
        known = family(4)
        text = msgspec.json.encode({**msgspec.to_builtins(known.header), **changes})
        rows = known.embeddings if rows is None else rows
        digest = np.frombuffer(hashlib.sha256(text + rows.tobytes()).digest(), np.uint8)
        signature = np.frombuffer(sign(signed_text(text, Tensor.of(rows)), self.key), np.uint8)
        return save({TENSOR: rows, DIGEST: digest, SIGNATURE: signature}, metadata={HEADER: text.decode()})

    def text(self, header: bytes) -> bytes:
        """A file with this text in place of a header, digested and signed."""
        rows = family(4).embeddings
        digest = np.frombuffer(hashlib.sha256(header + rows.tobytes()).digest(), np.uint8)
        signature = np.frombuffer(sign(signed_text(header, Tensor.of(rows)), self.key), np.uint8)
        return save({TENSOR: rows, DIGEST: digest, SIGNATURE: signature}, metadata={HEADER: header.decode()})

    def with_more(self, metadata: dict[str, str], **tensors: "np.ndarray[Any, Any]") -> bytes:
        """A signed file with more in it than a gallery has."""
        known = load(encode(family(4), self.key))
        header = msgspec.json.encode(family(4).header).decode()
        return save({**known, **tensors}, metadata={HEADER: header, **metadata})

    def person(self, **changes: Any) -> bytes:
        first, second = msgspec.to_builtins(family(4).people)
        return self.forge(people=[{**first, **changes}, second])


def with_header(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Another safetensors header before the same data."""
    length = int.from_bytes(content[:8], "little")
    header = change(content[8 : 8 + length])
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


def forgeries(key: Path, folder: Path) -> dict[str, tuple[bytes, str]]:
    """Kind -> a bundle and what its refusal says."""
    forger, good = Forger(key), encode(family(4), key)
    other = encode(family(4, "eve", "mallory"), key)
    length = int.from_bytes(good[:8], "little")
    nan = np.stack([face(1), face(2) * np.float32("nan")])
    short = np.zeros((2, 128), np.float32)
    short[:, 0] = 1
    nested = b"[" * 100_000 + b"]" * 100_000
    template = {"source": "\x1b[2Jcleared.jpg", "quality": 1.0, "added_at": ""}
    return {
        "swapped header": (other[: 8 + length] + good[8 + length :], "damaged"),
        "header length of 2^63": ((2**63).to_bytes(8, "little") + good[8:], "its header is cut off"),
        "a shape of 2^40 rows": (with_header(good, lambda h: h.replace(b"[2,192]", b"[1099511627776,192]")), "damaged"),
        "2^62 rows": (with_header(good, lambda h: h.replace(b"[2,192]", b"[4611686018427387904,192]")), "damaged"),
        "offsets that overlap": (with_header(good, lambda h: h.replace(b"[0,1536]", b"[0,1537]")), "damaged"),
        "something added": (good + b"x", "something was added"),
        "wrong signer": (encode(family(4), new_key(folder / "mallory")), "does not allow"),
        "unsigned": (encode(family(4)), "not signed"),
        "older version": (encode(family(2), key), "version 2 is not newer"),
        "negative version": (forger.forge(version=-1), "header is not valid"),
        "version of 10^30": (forger.forge(version=10**30), "header is not valid"),
        "schema to come": (forger.forge(schema_version=9), "header is not valid"),
        "other embedder": (forger.forge(embedder={"name": "facenet", "sha256": "f" * 64}), "made with the embedder"),
        "NaN": (forger.forge(nan), "not unit vectors"),
        "too long": (forger.forge(np.stack([face(1), 2 * face(2)])), "not unit vectors"),
        "more people than vectors": (forger.forge(np.stack([face(1)])), "lists 2 templates"),
        "path as id": (forger.person(id="../../etc/passwd"), "header is not valid"),
        "topic as id": (forger.person(id="ada/#"), "header is not valid"),
        "escape codes as name": (forger.person(name="\x1b]0;pwned\x07"), "is not allowed"),
        "no name": (forger.person(name=""), "header is not valid"),
        "escape codes as source": (forger.person(templates=[template]), "unprintable"),
        "same id twice": (forger.person(id="benny"), "occurs twice"),
        "no templates": (forger.person(templates=[]), "header is not valid"),
        "nested layout": (with_header(good, lambda _: nested), "damaged"),
        "nested tensor": (with_header(good, lambda _: b'{"embeddings": ' + nested + b"}"), "damaged"),
        "nested header": (forger.text(b'{"people": ' + nested + b"}"), "header is not valid"),
        "nested unknown field": (forger.text(b'{"x": ' + nested + b"}"), "header is not valid"),
        "other dimensions": (forger.forge(short), "its templates have 128 numbers each, but those of the embedder"),
        "extra tensor": (
            forger.with_more({}, more=np.zeros(3, np.uint8)),
            "holds 'more', which is no part of a gallery",
        ),
        "extra metadata": (forger.with_more({"format": "pt"}), "holds 'format', which is no part of a gallery"),
        "digest of floats": (forger.with_more({}, sha256=np.zeros(8, np.float32)), "its sha256 is float32"),
        "signature of floats": (forger.with_more({}, signature=np.zeros(8, np.float64)), "its signature is float64"),
        "nobody's bytes": (np.random.default_rng(0).bytes(5000), "not a gallery"),
        "age file of noise": (b"age-encryption.org/v1\n" + bytes(500), "encrypted; set gallery.identity_file"),
    }


@pytest.mark.fuzz
def test_every_damaged_bundle_is_refused_with_its_reason_and_the_daemon_goes_on(tmp_path: Path) -> None:
    key = new_key(tmp_path / "ada")
    box = Box.make(tmp_path / "box", key)
    bundle(box.gallery, 3, key=key)
    before = box.gallery.read_bytes()
    named, good = forgeries(key, tmp_path), encode(family(4), key)
    rng = np.random.default_rng(1)
    receiver, counts = box.receiver(), Counter[str]()
    with keeping(box) as [known]:
        matcher = known.matcher
        for n in range(HOW_MANY):
            kind, content, complaint = damaged(n, named, good, rng)
            with pytest.raises(GalleryError, match=complaint):
                receiver.receive(io.BytesIO(content))
            counts[kind] += 1
            assert known.matcher is matcher
        assert box.gallery.read_bytes() == before
        assert receiver.receive(io.BytesIO(good)).status == "in force"
    assert not [path for path in box.gallery.parent.iterdir() if path.name.endswith(".new")]
    print(f"\n{HOW_MANY} damaged bundles refused: {dict(counts)}")


def damaged(
    n: int, named: dict[str, tuple[bytes, str]], good: bytes, rng: np.random.Generator
) -> tuple[str, bytes, str]:
    """The named ones first, then cuts and flipped bits by turns."""
    if n < len(named):
        kind, (content, complaint) = list(named.items())[n]
        return kind, content, complaint
    if n % 2:
        return "cut off", good[: rng.integers(1, len(good))], "damaged|encrypted|cut off"
    changed = bytearray(good)
    # One at least before the signature, for which see the next test.
    signed = good.find(b"-----BEGIN SSH SIGNATURE-----")
    for place in (rng.integers(0, signed), *rng.integers(0, len(good), rng.integers(0, 3))):
        changed[place] ^= 1 << int(rng.integers(0, 8))
    if changed[:signed] == good[:signed]:
        changed[0] ^= 1
    return "flipped bits", bytes(changed), "damaged|header|signature|signed|embedder|templates|not a gallery"


def test_a_signature_with_a_flipped_bit_is_refused_or_still_the_same_one(tmp_path: Path) -> None:
    """ssh-keygen reads a signature with another character in place of a line break; what it signs has not changed."""
    key = new_key(tmp_path / "ada")
    box = Box.make(tmp_path / "box", key)
    good, rng, refused = encode(family(4), key), np.random.default_rng(2), 0
    begin = good.find(b"-----BEGIN SSH SIGNATURE-----")
    breaks = [at for at in range(begin, len(good)) if good[at] == ord("\n")]
    for at in (*breaks, *rng.integers(begin, len(good), HOW_MANY // 10)):
        changed = bytearray(good)
        changed[at] ^= 1 << int(rng.integers(0, 8))
        try:
            gallery = decode(bytes(changed), "it", None, box.loaded.gallery_keys)
        except GalleryError:
            refused += 1
        else:
            assert gallery.header == family(4).header
    assert refused > HOW_MANY // 20


def test_an_expired_signer_is_refused(tmp_path: Path) -> None:
    key = new_key(tmp_path / "ada")
    box = Box.make(tmp_path / "box", key)
    allowed = box.folder / "allowed_signers"
    allowed.write_text(allowed.read_text().replace(" ssh-", ',valid-before="20250101" ssh-'))
    with pytest.raises(GalleryError, match="or not now"):
        box.receiver().receive(io.BytesIO(encode(family(4), key)))


def test_a_start_falls_back_to_the_last_good_gallery_whatever_the_damage(tmp_path: Path) -> None:
    key = new_key(tmp_path / "ada")
    box = Box.make(tmp_path / "box", key)
    bundle(box.gallery, 3, key=key)
    History(box.gallery).keep(3, "0" * 64, 3, copy=True)
    for kind, (content, complaint) in forgeries(key, tmp_path).items():
        if kind == "older version":
            # It is sound; only a receiver refuses it.
            continue
        box.gallery.write_bytes(content)
        with keeping(box) as [known]:
            assert known.matcher.gallery.header.version == 3, kind
            status = read_status(box.gallery)
            assert status is not None and re.search(complaint, status.error or ""), kind
