"""Files as PyTorch writes them, made without PyTorch: pickles byte by byte, in ZIP files with the right names."""

import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

MAGIC = 0x1950A86A20F9469CFC6C
WEIGHTS = (
    # OrderedDict(weight=_rebuild_tensor_v2(persistent id, 0, (2,), (1,), False, OrderedDict()))
    b"\x80\x02ccollections\nOrderedDict\n)R(X\x06\x00\x00\x00weightctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage"
    b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQK\x00K\x02\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtRu."
)


class Shell:
    """What a hostile pickle calls."""

    def __init__(self, module: str, name: str, *arguments: object) -> None:
        self.module, self.name, self.arguments = module, name, arguments

    def pickled(self, protocol: int = 2) -> bytes:
        """A pickle that calls it while it is read."""
        head = b"\x80" + bytes([protocol])
        if protocol >= 4:
            names = b"".join(b"\x8c" + bytes([len(n)]) + n.encode() for n in (self.module, self.name))
            called = names + b"\x93"
        else:
            called = f"c{self.module}\n{self.name}\n".encode()
        given = b"".join(pickle.dumps(a, 2)[2:-1] for a in self.arguments)
        return head + called + b"(" + given + b"tR."


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    """A ZIP file under PyTorch's kind of folder; returns its path."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"archive/{name}", content)
    return path


def weights_file(path: Path, pickled: bytes = WEIGHTS) -> Path:
    """A file of `torch.save`, today's format."""
    return zipped(path, {"data.pkl": pickled, "version": b"3\n", "data/0": struct.pack("<2f", 1, 2)})


def old_weights_file(path: Path, pickled: bytes = WEIGHTS) -> Path:
    """A file of `torch.save` before PyTorch 1.6."""
    head = b"".join(pickle.dumps(part, 2) for part in (MAGIC, 1001, {"little_endian": True}))
    path.write_bytes(head + pickled + pickle.dumps(["0"], 2) + struct.pack("<q2f", 2, 1, 2))
    return path


def torchscript_file(path: Path, code: str = "def forward(self, x):\n  return torch.relu(x)\n") -> Path:
    """A file of `torch.jit.save`."""
    return zipped(
        path, {"data.pkl": b"\x80\x02N.", "code/__torch__.py": code.encode(), "constants.pkl": b"\x80\x02).x"}
    )


def program_file(path: Path, shape: Any = "s0", **members: bytes) -> Path:
    """A file of `torch.export.save`, with one shape."""
    program = {"graph_module": {"graph": {"sym_int_values": {"s": {"as_expr": {"expr_str": shape}}}}}}
    parts = {"models/model.json": json.dumps(program).encode(), "archive_format": b"pt2"}
    return zipped(path, parts | {name.replace("__", "/"): content for name, content in members.items()})
