"""A gallery as a file: safetensors with a JSON header, signed or not, encrypted or not.

The metadata key `whosthere` holds the header as JSON. Tensor `embeddings` (n, d) float32 has its rows in the order of
the people in the header. Tensor `sha256` (32,) uint8 is the digest of the JSON text followed by the bytes of the
embeddings. Tensor `signature` (n,) uint8, if present, is an armoured OpenSSH signature of `signed_text`. Unlike a
pickle, such a file holds no code. An encrypted gallery is an age file that contains all this.
"""

import hashlib
import mmap
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.config.sections import NO_KEYS, GalleryKeys
from edge.errors import GalleryError
from edge.galleries import names
from edge.galleries.atomic_file import write_whole
from edge.galleries.encryption import decrypt, encrypt, is_encrypted
from edge.galleries.gallery import EmbedderId, Gallery, Header, Person
from edge.galleries.signature import SignatureError, sign, verify
from edge.galleries.tensors import Malformed, read_tensors, write_tensors
from edge.records import read_only
from edge.regular_file import open_regular

HEADER = "whosthere"
TENSOR = "embeddings"
DIGEST = "sha256"
SIGNATURE = "signature"
UNIT_TOLERANCE = 1e-3
MAP_FROM = 16 * 2**20
"""From this many bytes on, a file is mapped instead of read. A mapped file must be replaced, never overwritten; small
ones are safe even from that."""
_REMEDY = "put a good copy in its place, or enrol the photos again"


class NoGallery(GalleryError):
    """There is no such file: the normal state of a box on which nobody has been enrolled yet."""


def open_gallery(
    path: Path, embedder: EmbedderId | None, keys: GalleryKeys = NO_KEYS, dimensions: int | None = None
) -> Gallery:
    """Read and verify a gallery; `embedder` is the one in use, None to accept any, and `dimensions` of its vectors.

    Raises NoGallery when there is no such file, and GalleryError naming it when it is damaged, of another schema or
    embedder, or not signed by somebody who may sign.
    """
    try:
        with open_regular(path) as file:
            large = os.fstat(file.fileno()).st_size >= MAP_FROM
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if large else file.read()
    except FileNotFoundError as error:
        raise NoGallery(f"{path}: no such gallery; make one with `whosthere enroll --gallery {path} ...`") from error
    except PermissionError as error:
        advice = f"run this with sudo; if it is the service that says so, `sudo chown whosthere: {path}`"
        raise GalleryError(f"{path}: cannot be read: {error.strerror}; {advice}") from error
    except OSError as error:
        raise GalleryError(f"{path}: cannot be read: {error.strerror or error}") from error
    return decode(content, str(path), embedder, keys, dimensions)


def decode(
    content: bytes | mmap.mmap,
    where: str,
    embedder: EmbedderId | None,
    keys: GalleryKeys,
    dimensions: int | None = None,
) -> Gallery:
    """Decode a file's bytes and check everything about them; the embeddings are a view of them.

    Nothing else decides whether a gallery is accepted: received, at start, on a reload or before it is written. Raises
    GalleryError that begins with `where`, and nothing else, whatever the bytes are.
    """
    try:
        return _decode(content, where, embedder, keys, dimensions)
    except GalleryError:
        raise
    except Exception as error:
        # Forged files find errors that nobody thought of, and a box must start on its last good gallery even then.
        raise GalleryError(f"{where}: damaged: {type(error).__name__}: {error}; {_REMEDY}") from error


def _decode(
    content: bytes | mmap.mmap, where: str, embedder: EmbedderId | None, keys: GalleryKeys, dimensions: int | None
) -> Gallery:
    if is_encrypted(content[:64]):
        content = decrypt(bytes(content), keys.identity, where)
    try:
        metadata, tensors = read_tensors(memoryview(content))
    except Malformed as error:
        raise GalleryError(f"{where}: not a gallery, or damaged: {error}; {_REMEDY}") from error
    if HEADER not in metadata:
        raise GalleryError(f"{where}: a safetensors file, but not a gallery: it has no `{HEADER}` header")
    _check_layout(where, metadata, tensors)
    text = metadata[HEADER].encode()
    embeddings = tensors.get(TENSOR, np.zeros(0, np.float32))
    with ThreadPoolExecutor(2) as pool:
        # With many people, each of these takes a while. NumPy releases the GIL, so they run side by side.
        digest = pool.submit(_digest, text, embeddings)
        unit = pool.submit(_unit_vectors, embeddings)
        header = _header(where, text)
        _check_embedder(where, header, embedder)
        _check_texts(where, header)
    if bytes(tensors.get(DIGEST, b"")) != digest.result():
        raise GalleryError(f"{where}: damaged: its contents do not match their checksum; {_REMEDY}")
    rows = sum([len(person.templates) for person in header.people])
    if embeddings.dtype != np.float32 or embeddings.ndim != 2 or len(embeddings) != rows:
        raise GalleryError(
            f"{where}: damaged: the header lists {rows} templates, but the embeddings are "
            f"{embeddings.dtype}{embeddings.shape}"
        )
    if dimensions is not None:
        check_dimensions(where, embeddings, header.embedder, dimensions)
    if not unit.result():
        raise GalleryError(f"{where}: damaged: some embeddings are not unit vectors")
    signer = None
    if keys.allowed_signers is not None:
        signer = _signer(where, text, embeddings, tensors.get(SIGNATURE), keys.allowed_signers)
    return Gallery(header, read_only(embeddings), signer)


def encode(gallery: Gallery, signing_key: Path | None = None) -> bytes:
    """Encode a gallery, always to the same bytes; signed if a key is given. Raises GalleryError."""
    header = _encoded_header(gallery)
    embeddings = np.ascontiguousarray(gallery.embeddings)
    tensors: dict[str, NDArray[Any]] = {
        TENSOR: embeddings,
        DIGEST: np.frombuffer(_digest(header, embeddings), np.uint8),
    }
    if signing_key is not None:
        signature = sign(signed_text(header, embeddings), signing_key)
        tensors[SIGNATURE] = np.frombuffer(signature, np.uint8)
    return write_tensors({HEADER: header.decode()}, tensors)


def signed_text(header: bytes, embeddings: NDArray[np.float32]) -> bytes:
    """The text that is signed: the digest, and how many of the digested bytes are the header."""
    digest = _digest(header, embeddings).hex()
    shape = " x ".join(map(str, embeddings.shape))
    return f"whosthere gallery\nsha256 {digest}\nheader {len(header)} bytes\nembeddings {shape}\n".encode()


def _encoded_header(gallery: Gallery) -> bytes:
    try:
        return msgspec.json.encode(gallery.header)
    except UnicodeEncodeError as error:
        raise GalleryError(f"the gallery cannot be written: a text in it is not Unicode: {error}") from error


def identity_of(gallery: Gallery) -> str:
    """The digest of a gallery's contents, whether it is signed or encrypted or not: 64 hexadecimal digits."""
    return _digest(_encoded_header(gallery), np.ascontiguousarray(gallery.embeddings)).hex()


def write_gallery(
    gallery: Gallery,
    path: Path,
    signing_key: Path | None = None,
    recipients: Sequence[str] = (),
    keys: GalleryKeys = NO_KEYS,
) -> None:
    """Write a gallery atomically: `path` holds the old one or the new one. Raises GalleryError naming the file.

    Nothing is written that `decode` would refuse. `keys` are those of its readers.
    """
    content = encode(gallery, signing_key)
    try:
        decode(content, "it", gallery.header.embedder, GalleryKeys(keys.allowed_signers, None))
    except GalleryError as error:
        raise GalleryError(f"{path}: not written, because it could not be read again: {error}") from error
    write_whole(encrypt(content, recipients) if recipients else content, path)


def _digest(header: bytes, embeddings: NDArray[np.float32]) -> bytes:
    digest = hashlib.sha256(header)
    digest.update(np.ascontiguousarray(embeddings).reshape(-1).view(np.uint8).data)
    return digest.digest()


def _check_layout(where: str, metadata: dict[str, str], tensors: dict[str, NDArray[Any]]) -> None:
    """Nothing may lie in the file that is neither digested nor signed. Raises GalleryError."""
    extra = sorted((metadata.keys() - {HEADER}) | (tensors.keys() - {TENSOR, DIGEST, SIGNATURE}))
    if extra:
        shown = ", ".join(ascii(name[:40]) for name in extra[:3])
        raise GalleryError(f"{where}: holds {shown}, which is no part of a gallery and is not signed; {_REMEDY}")
    for name in (DIGEST, SIGNATURE):
        tensor = tensors.get(name)
        if tensor is not None and (tensor.dtype != np.uint8 or tensor.ndim != 1):
            found = f"{tensor.dtype}{tensor.shape}"
            raise GalleryError(f"{where}: damaged: its {name} is {found}; allowed: uint8(n,); {_REMEDY}")


def _header(where: str, text: bytes) -> Header:
    try:
        return msgspec.json.decode(text, type=Header)
    except RecursionError as error:
        raise GalleryError(f"{where}: the gallery's header is not valid: it is nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GalleryError(f"{where}: the gallery's header is not valid: {error}") from error


def _check_embedder(where: str, header: Header, embedder: EmbedderId | None) -> None:
    if embedder is not None and header.embedder.sha256 != embedder.sha256:
        raise GalleryError(
            f"{where}: made with the embedder {header.embedder.name} ({header.embedder.sha256[:12]}...), but "
            f"{embedder.name} ({embedder.sha256[:12]}...) is in use: enrol the photos again"
        )


def check_dimensions(where: str, embeddings: NDArray[np.float32], embedder: EmbedderId, dimensions: int) -> None:
    """Raises GalleryError unless every embedding has so many numbers."""
    if embeddings.shape[1] != dimensions:
        raise GalleryError(
            f"{where}: its templates have {embeddings.shape[1]} numbers each, but those of the embedder "
            f"{embedder.name} have {dimensions}: enrol the photos again"
        )


def _signer(
    where: str, text: bytes, embeddings: NDArray[np.float32], signature: NDArray[Any] | None, allowed: Path
) -> str:
    if signature is None:
        raise SignatureError(
            f"{where}: not signed, but gallery.allowed_signers is set: sign it with `whosthere-converter sign`"
        )
    try:
        return verify(signed_text(text, embeddings), signature.tobytes(), allowed)
    except SignatureError as error:
        raise SignatureError(f"{where}: {error}") from error


def _unit_vectors(embeddings: NDArray[np.float32]) -> bool:
    if embeddings.ndim != 2:
        return False
    with np.errstate(all="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings))
    return bool((np.abs(lengths - 1) <= UNIT_TOLERANCE).all())


def _check_texts(where: str, header: Header) -> None:
    """Ids must be unique, and nothing that a terminal shows may control it. Raises GalleryError."""
    people = header.people
    if names.unprintable(header.created_at + header.embedder.name + header.embedder.sha256):
        raise GalleryError(f"{where}: its date or embedder contains unprintable characters")
    if len({person.id for person in people}) != len(people):
        raise GalleryError(f"{where}: damaged: a person id occurs twice")
    for person in people:
        problem = names.problem(person.name)
        if problem or names.unprintable(person.name):
            problem = problem or "it contains invisible characters"
            raise GalleryError(f"{where}: the name of {person.id} is not allowed: {problem}")
    if _printable(people):
        return
    odd = next(person for person in people if not _printable([person]))
    raise GalleryError(f"{where}: the entry of {odd.id} contains unprintable characters")


def _printable(people: list[Person]) -> bool:
    shown = [text for person in people for t in person.templates for text in (t.source, t.added_at)]
    shown += [person.notes.replace("\n", " ") for person in people if person.notes]
    shown += [text for p in people if p.consent for text in (p.consent.given_by, p.consent.purpose)]
    return not names.unprintable(" ".join(shown))
