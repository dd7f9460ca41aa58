"""Client channels to the pair's own servers."""

import grpc
import grpc.aio


def open_channel(address: str) -> grpc.aio.Channel:
    """Return a plaintext channel to ``host:port``; it connects by itself, again and again."""
    return grpc.aio.insecure_channel(
        address,
        options=(
            ("grpc.enable_retries", 0),  # nothing may run twice without our code knowing
            ("grpc.enable_http_proxy", 0),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 0),
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 10_000),
            ("grpc.max_receive_message_length", 16 << 20),
        ),
    )
