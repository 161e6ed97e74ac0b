"""Run inside the environment for ONNX: cuts a network, by default before the labels of a classifier.

`python -I onnx_cut.py REQUEST` reads a request (JSON): `model`; `output`, the output that it goes by; `where` to cut;
and `cut`, the file to write. The result goes to the file that the request names, as that of `onnx_worker` does.
"""

import json
import sys
from pathlib import Path
from typing import Any

import onnx
from onnx import helper

SOFTMAX = "softmax"
SHOWN = 8
CARRIED = frozenset({"Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Dropout"})
"""Operators that only hand on what they are given."""
SCALED = frozenset({"Add", "Sub", "Mul", "Div"})
"""Beside a constant, such as a bias or a factor on cosines, these belong to the labels too."""


class CutRefused(Exception):
    """The network cannot be cut there; the text says why."""


class Cutting:
    """A graph, read from its end."""

    def __init__(self, graph: Any) -> None:
        self._makers = {name: node for node in graph.node for name in node.output}
        self._given = {value.name for value in graph.input} - {tensor.name for tensor in graph.initializer}
        self._last = [name for node in graph.node for name in node.output if name][-SHOWN - 1 : -1]

    def place(self, where: str, output: str) -> str:
        """The name of the value at which to cut. Raises CutRefused."""
        named = f"the name of a value in it: {', '.join(self._last)}, ..."
        if where != SOFTMAX:
            if where not in self._makers:
                raise CutRefused(f"--cut: found {where!r}; allowed: softmax, or {named}")
            return where
        last = self._maker(output, CARRIED)
        labels = last is not None and last.op_type in {"Softmax", "LogSoftmax"}
        dense = self._maker(last.input[0], CARRIED | SCALED) if labels else None
        if dense is None or dense.op_type not in {"Gemm", "MatMul", "Conv"}:
            found = "nothing" if last is None else last.op_type
            raise CutRefused(
                f"--cut softmax: found {found} at its end, which is no softmax after a dense layer; allowed: {named}"
            )
        embedding = self._data(dense)
        if embedding not in self._makers:
            found = "nothing between the picture and the labels"
            raise CutRefused(f"--cut softmax: found {found}; allowed: a network of more than one layer")
        return embedding

    def _maker(self, name: str, passed_over: frozenset[str]) -> Any:
        """The operator that makes a value, behind those that are passed over; None: nothing does."""
        node = self._makers.get(name)
        while node is not None and node.op_type in passed_over:
            # The shape that a Reshape is given may depend on the picture too.
            node = self._makers.get(node.input[0] if node.op_type in CARRIED else self._data(node))
        return node

    def _data(self, node: Any) -> str:
        """The input of an operator that depends on the picture; "": several do, or none."""
        found = [name for name in node.input if self._depends(name)]
        return found[0] if len(found) == 1 else ""

    def _depends(self, name: str) -> bool:
        waiting, seen = [name], set()
        while waiting:
            one = waiting.pop()
            if one in self._given:
                return True
            if one not in seen and one in self._makers:
                waiting += self._makers[one].input
            seen.add(one)
        return False


def cut(request: dict[str, Any]) -> dict[str, Any]:
    """Write the network up to a value, which becomes its only output. Raises CutRefused."""
    model = onnx.load(request["model"])
    name = Cutting(model.graph).place(request["where"], request["output"])
    inferred = onnx.shape_inference.infer_shapes(model).graph
    known = {value.name: value for value in (*inferred.value_info, *inferred.output)}
    kind = known[request["output"]].type.tensor_type.elem_type
    del model.graph.output[:]
    model.graph.output.append(known.get(name) or helper.make_tensor_value_info(name, kind, None))
    onnx.save(model, request["cut"])
    return {"at": name}


def main(path: Path) -> None:
    """Do what the request says."""
    request = json.loads(path.read_text(encoding="utf-8"))
    try:
        result = cut(request)
    except CutRefused as error:
        result = {"refused": str(error)}
    Path(request["result"]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
