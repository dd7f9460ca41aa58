"""Channels towards performers: one TCP connection each, that says when it breaks."""

import grpc
import grpc.aio

_PING_EVERY_MS = 330_000  # Go servers cut a client that pings more often than every 5 min
_KIB = 1024

DEFAULT_MAX_MESSAGE_BYTES = 4 * _KIB * _KIB
"""gRPC's own default, in either direction."""


def open_performer_channel(
    address: str, *, max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
) -> grpc.aio.Channel:
    """Return a plaintext channel to the one instance at ``address`` (``host:port``).

    Nothing in it sends a call twice. Received messages may be twice ``max_message_bytes``, so
    that an output over the limit is seen as an answer that is too large and not as a broken call.
    """
    return grpc.aio.insecure_channel(
        address,
        options=(
            ("grpc.enable_retries", 0),
            ("grpc.service_config_disable_resolution", 1),
            ("grpc.enable_http_proxy", 0),
            # A connection of its own: what is seen of it is not another channel's.
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.keepalive_time_ms", _PING_EVERY_MS),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.keepalive_permit_without_calls", 0),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 1_000),
            ("grpc.max_reconnect_backoff_ms", 5_000),
            ("grpc.max_send_message_length", max_message_bytes + 64 * _KIB),
            ("grpc.max_receive_message_length", 2 * max_message_bytes + 64 * _KIB),
        ),
    )
