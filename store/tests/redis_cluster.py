"""A Redis Cluster of three nodes that a test starts and stops."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from config.devserver.paths import valkey_program
from config.devserver.server_process import free_port
from config.tests.waiting import wait_until

HOST = "127.0.0.1"
NODES = 3
SLOTS = 16_384
# A node listens to the others at its port plus this, so both have to be valid ports.
BUS_OFFSET = 10_000
HIGHEST_PORT = 65_535 - BUS_OFFSET


@contextmanager
def redis_cluster(folder: Path) -> Iterator[str]:
    """Run the cluster until the block ends; yields the URL of one node."""
    with ExitStack() as stack:
        ports = [_node_port() for _ in range(NODES)]
        for port in ports:
            process = subprocess.Popen(
                _command(port, folder),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.environ["PATH"]},
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
        nodes = [stack.enter_context(Redis(host=HOST, port=port)) for port in ports]
        wait_until(lambda: all(_answers(node) for node in nodes), "the nodes of the cluster")
        share = SLOTS // NODES + 1
        for number, node in enumerate(nodes):
            node.execute_command("CLUSTER ADDSLOTSRANGE", number * share, min((number + 1) * share, SLOTS) - 1)
            node.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            nodes[0].execute_command("CLUSTER MEET", HOST, ports[number])
        wait_until(lambda: all(_is_complete(node) for node in nodes), "a complete cluster")
        yield f"redis://{HOST}:{ports[0]}"


def _command(port: int, folder: Path) -> list[str]:
    own = folder / f"node-{port}"
    own.mkdir()
    options = {"--port": port, "--bind": HOST, "--save": "", "--dir": own, "--cluster-enabled": "yes"}
    return [str(valkey_program()), *[str(word) for option in options.items() for word in option]]


def _node_port() -> int:
    while (port := free_port()) > HIGHEST_PORT:
        pass
    return port


def _answers(node: Redis) -> bool:
    try:
        return bool(node.ping())
    except RedisError:
        return False


def _is_complete(node: Redis) -> bool:
    info = node.execute_command("CLUSTER INFO")
    text = info if isinstance(info, dict) else dict(line.split(":") for line in info.decode().split())
    return text["cluster_state"] == "ok" and int(text["cluster_known_nodes"]) == NODES
