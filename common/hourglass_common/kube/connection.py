"""Where the Kubernetes API is and how to prove who asks: kubeconfig or service account.

The kubernetes package reads the configuration (exec plugins and token refresh included); its
models and its watch are not used, they decode 75 times slower than plain JSON.
"""

import os
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from hourglass_common.domain.errors import Code, HourglassError


@dataclass(frozen=True, slots=True)
class Connection:
    """``server`` is a URL without a trailing slash; ``authorization`` gives the header's value,
    None when the API is asked without one; ``namespace`` is the default one."""

    server: str
    ssl_context: ssl.SSLContext | None
    authorization: Callable[[], Awaitable[str | None]]
    namespace: str = "default"

    @property
    def shown(self) -> str:
        """The URL as people may see it: without the name and password that it may hold."""
        scheme, separator, rest = self.server.partition("://")
        return f"{scheme}{separator}{rest.rpartition('@')[2]}"


async def connect(kubeconfig: str | Path | None = None, context: str | None = None) -> Connection:
    """Return the connection of ``kubeconfig``, else of $KUBECONFIG, the pod, ~/.kube/config.

    FAILED_PRECONDITION if there is none or it can not be read.
    """
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

    configuration = Configuration()
    namespace = "default"
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ
    try:
        if kubeconfig is None and "KUBECONFIG" not in os.environ and in_pod:
            load_incluster_config(client_configuration=configuration)
            namespace = _pod_namespace()
        else:
            loader = await load_kube_config(
                config_file=str(kubeconfig) if kubeconfig else None,
                context=context,
                client_configuration=configuration,
                persist_config=False,
            )
            namespace = loader.current_context["context"].get("namespace") or "default"
    except (ConfigException, OSError, KeyError, TypeError) as exc:
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"no usable Kubernetes configuration ({kubeconfig or 'default places'}): {exc}",
            reason="KUBECONFIG_INVALID",
            hint="give --kubeconfig, set KUBECONFIG, or run inside a pod",
        ) from exc

    async def authorization() -> str | None:
        try:
            header = (await configuration.auth_settings()).get("BearerToken")
        except (ConfigException, OSError, ValueError, KeyError) as exc:
            raise HourglassError(
                Code.UNAUTHENTICATED,
                f"the credentials of {configuration.host} could not be refreshed: {exc}",
                reason="KUBECONFIG_CREDENTIALS",
                hint="check the token file or the exec plugin that the kubeconfig names",
            ) from exc
        return header["value"] if header else None

    server = configuration.host.rstrip("/")
    return Connection(
        server=server,
        ssl_context=_ssl_context(configuration) if server.startswith("https") else None,
        authorization=authorization,
        namespace=namespace,
    )


def _ssl_context(configuration: "object") -> ssl.SSLContext:
    read = configuration.__getattribute__
    context = ssl.create_default_context(cafile=read("ssl_ca_cert"), cadata=read("ca_cert_data"))
    if read("cert_file"):
        context.load_cert_chain(read("cert_file"), keyfile=read("key_file"))
    if not read("verify_ssl"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if hasattr(ssl, "VERIFY_X509_STRICT"):  # cluster CAs of old lack the extensions it asks for
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _pod_namespace() -> str:
    path = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
    return path.read_text().strip() if path.exists() else "default"
