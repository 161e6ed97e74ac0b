"""Training on several devices, or on several machines, by TensorFlow's own strategies."""

import json
import os
from typing import Any

from converter.sources import tensorflow
from edge.errors import UsageError

STRATEGIES = ("single", "mirrored", "multiworker")
CLUSTER = "TF_CONFIG"


def strategy_named(name: str) -> Any:
    """The strategy, whose scope everything that is trained must be made in.

    `multiworker` reads the workers' addresses from the environment variable TF_CONFIG, and waits for all of them.
    Raises UsageError when it is missing or not understood.
    """
    tf = tensorflow()
    if name == "mirrored":
        gpus = tf.config.list_logical_devices("GPU")
        return tf.distribute.MirroredStrategy([d.name for d in gpus or tf.config.list_logical_devices("CPU")])
    if name == "multiworker":
        _check_cluster()
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def is_chief(strategy: Any) -> bool:
    """Whether this process is the one that writes: the only one, or the first worker."""
    resolver = strategy.cluster_resolver
    return resolver is None or not resolver.cluster_spec().as_dict() or resolver.task_id == 0


def worker_number() -> int:
    """This worker's number, from 0."""
    return int(json.loads(os.environ[CLUSTER])["task"]["index"]) if CLUSTER in os.environ else 0


def _check_cluster() -> None:
    found = os.environ.get(CLUSTER)
    example = '{"cluster": {"worker": ["10.0.0.1:12345", "10.0.0.2:12345"]}, "task": {"type": "worker", "index": 0}}'
    if found is None:
        raise UsageError(f"--strategy multiworker: {CLUSTER} is not set; allowed, on each machine: {example}")
    try:
        config = json.loads(found)
        workers, task = config["cluster"]["worker"], config["task"]
        fits = task["type"] == "worker" and 0 <= task["index"] < len(workers) and set(config["cluster"]) == {"worker"}
    except (ValueError, KeyError, TypeError):
        fits = False
    if not fits:
        raise UsageError(f"{CLUSTER}: found {found}; allowed: {example}")
