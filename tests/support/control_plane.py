"""A real control plane for tests: etcd, kube-apiserver and kube-controller-manager.

The programs come from ``$KUBEBUILDER_ASSETS``. Started once per run by ``run_tests`` (or by the
``real_api`` fixture alone) and shared: every test takes a namespace of its own.

    python -m tests.support.control_plane --keep FOLDER

starts one by hand, prints the ``export`` that makes the fixtures use it, and waits for Ctrl-C.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from hourglass_common.domain.performer_crd import performer_crd

TOKEN = "control-plane-admin"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager")
SHARED = "HOURGLASS_TEST_KUBECONFIG"

_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True)
class Options:
    """What differs between the suites' control plane and one with a purpose of its own.

    ``users`` are lines of the API server's token file, beside the administrator's.
    """

    users: tuple[str, ...] = ()
    audit_policy: Mapping[str, Any] = field(default_factory=lambda: _AUDIT_POLICY)
    api_server: tuple[str, ...] = (
        "--max-requests-inflight=0",
        "--enable-priority-and-fairness=false",
    )
    controller_manager: tuple[str, ...] = (
        "--concurrent-gc-syncs=5",
        "--kube-api-qps=300",  # the default of 20 makes tests wait for pods and for removals
        "--kube-api-burst=600",
    )


@dataclass(frozen=True)
class ControlPlane:
    """A running API server with the CRD installed; ``audit_log`` holds one JSON object a line."""

    url: str
    kubeconfig: Path
    audit_log: Path
    token: str = TOKEN


def why_unavailable() -> str | None:
    """Return why no control plane can be started here, None if one can (or is shared)."""
    return None if os.environ.get(SHARED) else why_not_startable()


def why_not_startable() -> str | None:
    """Return why no control plane can be started here, None if one can."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        return "KUBEBUILDER_ASSETS is not set (a folder with etcd, kube-apiserver, ...)"
    missing = [name for name in PROGRAMS if not (Path(assets) / name).exists()]
    return f"KUBEBUILDER_ASSETS lacks {', '.join(missing)}" if missing else None


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """Run a control plane with its files in ``folder``; a shared one is used, never stopped."""
    shared = os.environ.get(SHARED)
    if shared:
        path = Path(shared)
        config = yaml.safe_load(path.read_text())
        yield ControlPlane(
            config["clusters"][0]["cluster"]["server"], path, path.parent / "audit.log"
        )
        return
    with own_control_plane(folder, Options()) as running:
        yield running.plane


@contextmanager
def own_control_plane(folder: Path, options: Options) -> Iterator["Processes"]:
    """Run a control plane that nobody else uses, with its files in ``folder``."""
    running = Processes(folder, options)
    try:
        running.start()
        yield running
    finally:
        running.stop()


class Processes:
    """The programs of one control plane; ``plane`` once they are started."""

    plane: ControlPlane

    def __init__(self, folder: Path, options: Options) -> None:
        self.folder = folder
        self.options = options
        self.processes: list[subprocess.Popen[bytes]] = []
        self._api: subprocess.Popen[bytes] | None = None
        self._api_flags: list[str] = []

    def start(self) -> None:
        """Return once the API answers, the CRD is served and the controllers have begun."""
        self.folder.mkdir(parents=True, exist_ok=True)
        etcd_client, etcd_peer, api = (free_port() for _ in range(3))
        etcd = f"http://127.0.0.1:{etcd_client}"
        peer = f"http://127.0.0.1:{etcd_peer}"
        self._write_files(api)
        self._run(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            "--unsafe-no-fsync",
            "--log-level=warn",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        )
        plane = self.plane = ControlPlane(
            f"https://127.0.0.1:{api}", self.folder / "kubeconfig", self.folder / "audit.log"
        )
        self._api_flags = self._api_server_flags(etcd, api)
        self.start_api_server()
        self._run_controllers(self.options.controller_manager)
        _post(
            plane, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", dict(performer_crd())
        )
        self._wait(plane, "/apis/hourglass.eigenlayer.io/v1alpha1/performers")
        self._wait(plane, "/api/v1/namespaces/default/serviceaccounts/default")

    def restart_controllers(self, flags: Sequence[str]) -> None:
        """End the controller-manager, and run it anew with these flags beside its usual ones."""
        _end(self.processes.pop())
        self._run_controllers(flags)

    def _run_controllers(self, flags: Sequence[str]) -> None:
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={self.folder / 'kubeconfig'}",
            "--leader-elect=false",
            f"--service-account-private-key-file={self.folder / 'sa.key'}",
            f"--root-ca-file={self.folder / 'pki' / 'apiserver.crt'}",
            "--use-service-account-credentials=true",
            "--secure-port=0",
            *flags,
        )

    def start_api_server(self) -> None:
        """Start the API server, again on its port and etcd, and return once it is ready."""
        self._api = self._run("kube-apiserver", *self._api_flags)
        self.processes.insert(1, self.processes.pop())  # after etcd, before the controllers
        self._wait(self.plane, "/readyz")

    def kill_api_server(self) -> None:
        """End the API server without a word to anybody."""
        assert self._api is not None
        self._api.kill()
        self._api.wait()
        self.processes.remove(self._api)

    def _api_server_flags(self, etcd: str, port: int) -> list[str]:
        return [
            f"--etcd-servers={etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self.folder / 'pki'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.folder / 'sa.pub'}",
            f"--service-account-signing-key-file={self.folder / 'sa.key'}",
            f"--audit-policy-file={self.folder / 'audit-policy.json'}",
            f"--audit-log-path={self.folder / 'audit.log'}",
            "--audit-log-mode=blocking",
            "--allow-privileged=true",
            *self.options.api_server,
        ]

    def _write_files(self, port: int) -> None:
        for command in (
            ["openssl", "genrsa", "-out", "sa.key", "2048"],
            ["openssl", "rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub"],
        ):
            subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        users = (f"{TOKEN},admin,admin,system:masters", *self.options.users)
        (self.folder / "tokens.csv").write_text("".join(f"{line}\n" for line in users))
        (self.folder / "audit-policy.json").write_text(json.dumps(self.options.audit_policy))
        write_kubeconfig(self.folder / "kubeconfig", f"https://127.0.0.1:{port}", TOKEN)

    def _run(self, program: str, *flags: str) -> subprocess.Popen[bytes]:
        path = Path(os.environ["KUBEBUILDER_ASSETS"]) / program
        with (self.folder / f"{program}.log").open("ab") as log:
            process = subprocess.Popen(
                [path, *flags], stdout=log, stderr=log, start_new_session=True
            )
        self.processes.append(process)
        return process

    def _wait(self, plane: ControlPlane, path: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while True:
            dead = next((p for p in self.processes if p.poll() is not None), None)
            if dead is not None:
                name = Path(str(dead.args[0])).name  # type: ignore[index]
                tail = (self.folder / f"{name}.log").read_text()[-2000:]
                raise RuntimeError(f"{name} exited with {dead.returncode}:\n{tail}")
            try:
                _request(plane, "GET", path)
            except (OSError, urllib.error.URLError) as error:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{path} did not answer in {seconds} s: {error}") from error
                time.sleep(0.1)  # noqa: TID251  no event tells when a foreign program is up
            else:
                return

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def write_kubeconfig(path: Path, url: str, token: str) -> None:
    """Write a kubeconfig for the user whose token it is."""
    cluster = {"server": url, "insecure-skip-tls-verify": True}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user"}}],
        "current-context": "test",
    }
    path.write_text(yaml.safe_dump(config))


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _request(plane: ControlPlane, method: str, path: str, body: Any = None) -> bytes:
    request = urllib.request.Request(
        plane.url + path,
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": "application/json",
            "User-Agent": "test-control-plane",
        },
    )
    context = ssl._create_unverified_context()
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:
        content: bytes = answer.read()
        return content


def _post(plane: ControlPlane, path: str, body: Any) -> None:
    try:
        _request(plane, "POST", path, body)
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"POST {path}: {error.read().decode()}") from error


def main() -> None:
    parser = argparse.ArgumentParser(description="run a control plane until Ctrl-C")
    parser.add_argument("--keep", type=Path, help="folder for its files (default: a new one)")
    folder = parser.parse_args().keep or Path(tempfile.mkdtemp())
    reason = why_unavailable()
    if reason:
        sys.exit(f"control_plane: {reason}")
    shutil.rmtree(folder, ignore_errors=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt), control_plane(folder.resolve()) as plane:
        print(f"export {SHARED}={plane.kubeconfig}", flush=True)
        while True:
            signal.pause()


if __name__ == "__main__":
    main()
