"""``python -m hourglass_cli.demo_performer``: lean, so that a pod is ready in half a second."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence

from .options import Options, parse_options
from .service import serve


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    options = parse_options(sys.argv[1:] if arguments is None else arguments, environ)
    try:
        asyncio.run(_run(options))
    except OSError as error:
        print(f"hourglass demo-performer: {error}", file=sys.stderr)
        print("Choose another port with --port or GRPC_PORT; 0 takes a free one.", file=sys.stderr)
        return 1
    return 0


async def _run(options: Options) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    if options.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        loop.add_signal_handler(signal.SIGTERM, stop.set)
    await serve(options, stop)


if __name__ == "__main__":
    sys.exit(main())
