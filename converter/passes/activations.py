"""PReLU in operators that int8 kernels, and the Edge TPU, have."""

import numpy as np

from converter.graph import NONE, RELU, Graph, schema


def spell_out_prelu(graph: Graph) -> list[tuple[str, str]]:
    """Replace each PRELU whose slopes are at most 1; returns the names of what went into each and came out of it.

    prelu(x, a) = x + relu((a - 1) x), exactly: a multiplication with a RELU fused to it, and an addition. What goes in
    and what comes out should be given one range: then numbers above zero pass without being rounded again.
    """
    pairs = []
    for operator in list(graph.operators):
        if graph.kind(operator) != "PRELU":
            continue
        slopes = graph.weights(operator, 1)
        if (slopes > 1).any():
            continue
        source, output = int(operator.inputs[0]), int(operator.outputs[0])
        name = graph.tensor_name(output)
        below = graph.add_tensor(f"{name}/below", graph.shape(output))
        factor = graph.add_constant(f"{name}/factor", (slopes - 1).astype(np.float32).reshape(-1))
        product, total = schema.MulOptionsT(), schema.AddOptionsT()
        product.fusedActivationFunction, total.fusedActivationFunction = RELU, NONE
        # Only int16 looks at it, and LiteRT's converter sets it there.
        total.potScaleInt16 = False
        graph.swap(
            [operator],
            [
                graph.make("MUL", [source, factor], [below], product),
                graph.make("ADD", [source, below], [output], total),
            ],
        )
        pairs.append((graph.tensor_name(source), name))
    return pairs
