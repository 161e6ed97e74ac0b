"""What can be known of a gallery file without its vectors: all that the web page shows. It needs no numpy.

`file` describes the format, and reads the vectors too.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.config.sections import NO_KEYS, GalleryKeys
from edge.errors import GalleryError
from edge.galleries import names
from edge.galleries.encryption import decrypt, is_encrypted
from edge.galleries.gallery import EmbedderId, Header, Person
from edge.galleries.signature import SignatureError, verify
from edge.galleries.tensors import Malformed, Tensor, read_tensors
from edge.regular_file import open_regular

HEADER = "whosthere"
TENSOR = "embeddings"
DIGEST = "sha256"
SIGNATURE = "signature"
MAP_FROM = 16 * 2**20
"""From this many bytes on, a file is mapped instead of read. A mapped file must be replaced, never overwritten; small
ones are safe even from that."""
_REMEDY = "put a good copy in its place, or enrol the photos again"


class NoGallery(GalleryError):
    """There is no such file: the normal state of a box on which nobody has been enrolled yet."""


@dataclass(frozen=True, slots=True, eq=False)
class SealedGallery:
    """The parts of a gallery file. Nothing is known of the vectors but how many there are."""

    where: str
    """Errors begin with it."""
    text: bytes
    """The header, as JSON."""
    embeddings: Tensor
    digest: bytes
    signature: bytes | None

    def header(self, embedder: EmbedderId | None) -> Header:
        """The header; `embedder` is the one in use, None to accept any. Raises GalleryError for what is damaged."""
        header = _header(self.where, self.text)
        _check_embedder(self.where, header, embedder)
        _check_texts(self.where, header)
        if self.digest != digest_of(self.text, self.embeddings):
            raise GalleryError(f"{self.where}: damaged: its contents do not match their checksum; {_REMEDY}")
        found = self.embeddings
        if found.dtype != "F32" or len(found.shape) != 2 or found.shape[0] != header.size:
            raise GalleryError(
                f"{self.where}: damaged: the header lists {header.size} templates, but the embeddings are {found}"
            )
        return header

    def signer(self, keys: GalleryKeys) -> str | None:
        """Who has signed it; None: nobody has to. Raises SignatureError."""
        if keys.allowed_signers is None:
            return None
        if self.signature is None:
            raise SignatureError(
                f"{self.where}: not signed, but gallery.allowed_signers is set: sign it with `whosthere-converter sign`"
            )
        try:
            return verify(signed_text(self.text, self.embeddings), self.signature, keys.allowed_signers)
        except SignatureError as error:
            raise SignatureError(f"{self.where}: {error}") from error


def open_header(path: Path, embedder: EmbedderId | None, keys: GalleryKeys = NO_KEYS) -> Header:
    """Who is in a gallery, checked as by `open_gallery`, except for the vectors. Raises NoGallery and GalleryError."""
    content, where = content_of(path), str(path)
    with refused(where):
        sealed = unseal(content, where, keys)
        header = sealed.header(embedder)
        sealed.signer(keys)
        return header


def content_of(path: Path) -> bytes | mmap.mmap:
    """The bytes of a gallery file; a large one is mapped. Raises NoGallery and GalleryError."""
    try:
        with open_regular(path) as file:
            large = os.fstat(file.fileno()).st_size >= MAP_FROM
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if large else file.read()
    except FileNotFoundError as error:
        raise NoGallery(f"{path}: no such gallery; make one with `whosthere enroll --gallery {path} ...`") from error
    except PermissionError as error:
        advice = f"run this with sudo; if it is the service that says so, `sudo chown whosthere: {path}`"
        raise GalleryError(f"{path}: cannot be read: {error.strerror}; {advice}") from error
    except OSError as error:
        raise GalleryError(f"{path}: cannot be read: {error.strerror or error}") from error


@contextlib.contextmanager
def refused(where: str) -> Iterator[None]:
    """Whatever goes wrong with a gallery's bytes is a GalleryError that begins with `where`."""
    try:
        yield
    except GalleryError:
        raise
    except Exception as error:
        # Forged files find errors that nobody thought of, and a box must start on its last good gallery even then.
        raise GalleryError(f"{where}: damaged: {type(error).__name__}: {error}; {_REMEDY}") from error


def unseal(content: bytes | mmap.mmap, where: str, keys: GalleryKeys) -> SealedGallery:
    """Decrypt a file's bytes and take them apart; the embeddings are a view of them. Raises GalleryError."""
    if is_encrypted(content[:64]):
        content = decrypt(bytes(content), keys.identity, where)
    try:
        metadata, tensors = read_tensors(memoryview(content))
    except Malformed as error:
        raise GalleryError(f"{where}: not a gallery, or damaged: {error}; {_REMEDY}") from error
    if HEADER not in metadata:
        raise GalleryError(f"{where}: a safetensors file, but not a gallery: it has no `{HEADER}` header")
    _check_layout(where, metadata, tensors)
    embeddings = tensors.get(TENSOR, Tensor("F32", (0,), memoryview(b"")))
    digest, signature = (bytes(found.data) if (found := tensors.get(name)) else None for name in (DIGEST, SIGNATURE))
    return SealedGallery(where, metadata[HEADER].encode(), embeddings, digest or b"", signature)


def signed_text(header: bytes, embeddings: Tensor) -> bytes:
    """The text that is signed: the digest, and how many of the digested bytes are the header."""
    digest = digest_of(header, embeddings).hex()
    shape = " x ".join(map(str, embeddings.shape))
    return f"whosthere gallery\nsha256 {digest}\nheader {len(header)} bytes\nembeddings {shape}\n".encode()


def digest_of(header: bytes, embeddings: Tensor) -> bytes:
    """The SHA-256 of a header and its embeddings."""
    digest = hashlib.sha256(header)
    digest.update(embeddings.data)
    return digest.digest()


def _check_layout(where: str, metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> None:
    """Nothing may lie in the file that is neither digested nor signed. Raises GalleryError."""
    extra = sorted((metadata.keys() - {HEADER}) | (tensors.keys() - {TENSOR, DIGEST, SIGNATURE}))
    if extra:
        shown = ", ".join(ascii(name[:40]) for name in extra[:3])
        raise GalleryError(f"{where}: holds {shown}, which is no part of a gallery and is not signed; {_REMEDY}")
    for name in (DIGEST, SIGNATURE):
        tensor = tensors.get(name)
        if tensor is not None and (tensor.dtype != "U8" or len(tensor.shape) != 1):
            raise GalleryError(f"{where}: damaged: its {name} is {tensor}; allowed: uint8(n,); {_REMEDY}")


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
