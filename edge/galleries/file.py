"""A gallery as a file: safetensors with a JSON header, signed or not, encrypted or not.

The metadata key `whosthere` holds the header as JSON. Tensor `embeddings` (n, d) float32 has its rows in the order of
the people in the header. Tensor `sha256` (32,) uint8 is the digest of the JSON text followed by the bytes of the
embeddings. Tensor `signature` (n,) uint8, if present, is an armoured OpenSSH signature of `signed_text`. Unlike a
pickle, such a file holds no code. An encrypted gallery is an age file that contains all this.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edge.config.sections import NO_KEYS, GalleryKeys
from edge.errors import GalleryError
from edge.galleries.atomic_file import write_whole
from edge.galleries.encryption import encrypt
from edge.galleries.gallery import EmbedderId, Gallery
from edge.galleries.sealed import (
    DIGEST,
    HEADER,
    SIGNATURE,
    TENSOR,
    SealedGallery,
    content_of,
    digest_of,
    refused,
    signed_text,
    unseal,
)
from edge.galleries.signature import sign
from edge.galleries.tensors import Tensor, write_tensors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    from edge import lazy_numpy as np

UNIT_TOLERANCE = 1e-3


def open_gallery(
    path: Path, embedder: EmbedderId | None, keys: GalleryKeys = NO_KEYS, dimensions: int | None = None
) -> Gallery:
    """Read and verify a gallery; `embedder` is the one in use, None to accept any, and `dimensions` of its vectors.

    Raises NoGallery when there is no such file, and GalleryError naming it when it is damaged, of another schema or
    embedder, or not signed by somebody who may sign.
    """
    return decode(content_of(path), str(path), embedder, keys, dimensions)


def decode(
    content: bytes | mmap, where: str, embedder: EmbedderId | None, keys: GalleryKeys, dimensions: int | None = None
) -> Gallery:
    """Decode a file's bytes and check everything about them; the embeddings are a view of them.

    Nothing else decides whether a gallery is accepted: received, at start, on a reload or before it is written. Raises
    GalleryError that begins with `where`, and nothing else, whatever the bytes are.
    """
    with refused(where):
        return _decoded(unseal(content, where, keys), embedder, keys, dimensions)


def _decoded(sealed: SealedGallery, embedder: EmbedderId | None, keys: GalleryKeys, dimensions: int | None) -> Gallery:
    embeddings = sealed.embeddings.array()
    with ThreadPoolExecutor(1) as pool:
        # With many people, this takes a while, and so does the digest. Both release the GIL, so they run side by side.
        unit = pool.submit(_unit_vectors, embeddings)
        header = sealed.header(embedder)
    if dimensions is not None:
        check_dimensions(sealed.where, embeddings, header.embedder, dimensions)
    if not unit.result():
        raise GalleryError(f"{sealed.where}: damaged: some embeddings are not unit vectors")
    return Gallery(header, embeddings, sealed.signer(keys))


def encode(gallery: Gallery, signing_key: Path | None = None) -> bytes:
    """Encode a gallery, always to the same bytes; signed if a key is given. Raises GalleryError."""
    header, embeddings = _encoded_header(gallery), Tensor.of(gallery.embeddings)
    tensors = {TENSOR: embeddings, DIGEST: Tensor.of_bytes(digest_of(header, embeddings))}
    if signing_key is not None:
        tensors[SIGNATURE] = Tensor.of_bytes(sign(signed_text(header, embeddings), signing_key))
    return write_tensors({HEADER: header.decode()}, tensors)


def _encoded_header(gallery: Gallery) -> bytes:
    try:
        return msgspec.json.encode(gallery.header)
    except UnicodeEncodeError as error:
        raise GalleryError(f"the gallery cannot be written: a text in it is not Unicode: {error}") from error


def identity_of(gallery: Gallery) -> str:
    """The digest of a gallery's contents, whether it is signed or encrypted or not: 64 hexadecimal digits."""
    return digest_of(_encoded_header(gallery), Tensor.of(gallery.embeddings)).hex()


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


def check_dimensions(where: str, embeddings: NDArray[np.float32], embedder: EmbedderId, dimensions: int) -> None:
    """Raises GalleryError unless every embedding has so many numbers."""
    if embeddings.shape[1] != dimensions:
        raise GalleryError(
            f"{where}: its templates have {embeddings.shape[1]} numbers each, but those of the embedder "
            f"{embedder.name} have {dimensions}: enrol the photos again"
        )


def _unit_vectors(embeddings: NDArray[np.float32]) -> bool:
    if embeddings.ndim != 2:
        return False
    with np.errstate(all="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings))
    return bool((np.abs(lengths - 1) <= UNIT_TOLERANCE).all())
