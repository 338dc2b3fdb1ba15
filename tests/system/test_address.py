"""`segue up --address`: an engine on a Ray cluster that somebody else has started, and that outlives it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from support.running import ROOT, Engine, eventually, eventually_equal, run_segue

from actors.platform.ports import free_port
from serve.process.ray_runtime.flags import serve_flags

RAY = Path(sys.executable).with_name("ray")
LOOPBACK = "127.0.0.1"
START_S, STOP_S = 60.0, 20.0
ITS_OWN = ("ray::IDLE", "ray::DashboardAgent", "ray::RuntimeEnvAgent")


@dataclass(frozen=True)
class Cluster:
    """Where it is, what a process needs in its environment to join it, and its front process."""

    address: str
    environment: Mapping[str, str]
    front: psutil.Process

    def answers(self) -> bool:
        host, _, port = self.address.partition(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=2):
            return True
        return False

    def actors(self) -> list[str]:
        """The titles of what it runs for somebody, in order: neither agents of its own nor workers that are idle."""
        found = []
        for process in self.front.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                found += [word for word in process.cmdline()[:1] if word.startswith("ray::")]
        return sorted(word for word in found if word not in ITS_OWN)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of one node on loopback, started as an operator starts it, with ports and folders of its own."""
    with tempfile.TemporaryDirectory(prefix="segue-address-", ignore_cleanup_errors=True) as folder:
        flags = serve_flags(folder) | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("SEGUE_", "RAY_"))}
        port = free_port()
        command = [RAY, "start", "--head", "--block", f"--node-ip-address={LOOPBACK}", f"--port={port}"]
        command += ["--include-dashboard=false", f"--temp-dir={folder}/ray", "--object-store-memory=80000000"]
        with (Path(folder) / "ray.log").open("wb") as output:
            started = subprocess.Popen(
                list(map(str, command)),
                cwd=folder,
                env=plain | flags,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        front = psutil.Process(started.pid)
        one = Cluster(f"{LOOPBACK}:{port}", flags, front)
        try:
            eventually(one.answers, START_S)
            yield one
        finally:
            family = [front, *front.children(recursive=True)]
            for process in family:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(family, timeout=STOP_S)
            started.wait(STOP_S)


def test_an_engine_joins_a_cluster_leaves_it_as_it_was_and_joins_it_again(cluster: Cluster, tmp_path: Path):
    engine = Engine(tmp_path, environment=cluster.environment, address=cluster.address)
    try:
        engine.start()
        assert any("ProfileShard" in actor for actor in cluster.actors())
        engine.identify("ada", email="ada@shop.example")
        engine.track("Product Viewed", {"sku": "s1"}, userId="ada")
        assert engine.status()["events"]["accepted"] == 2

        code, _, _ = engine.stop()
        assert code == 0
        assert cluster.answers()
        eventually_equal(cluster.actors, [], STOP_S)

        engine.start()
        assert [entry["kind"] for entry in engine.timeline("user_id", "ada")].count("event") == 2
    finally:
        engine.stop()
        engine.close()


def test_a_process_without_the_flags_of_the_cluster_is_told_which(cluster: Cluster, tmp_path: Path):
    done = run_segue("up", "--config", ROOT / "configs", "--data", tmp_path / "data", "--address", cluster.address)
    assert done.returncode == 2
    assert "--address" in done.stderr
    assert "RAY_SERVE_ENABLE_HA_PROXY and RAY_SERVE_THROUGHPUT_OPTIMIZED set to 1" in done.stderr
