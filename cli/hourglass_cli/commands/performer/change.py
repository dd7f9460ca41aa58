"""``hourglass performer create | update | scale | delete``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hourglass_cli.session import Asker
from hourglass_cli.show.output import Format

from .complete import Performer, names_of_performers
from .options import DryRun, Etag, Output, targeted
from .rollout import Wait

if TYPE_CHECKING:
    from hourglass_cli.session import Session

File = Annotated[
    Path | None,
    typer.Option(
        "--file",
        "-f",
        help="A Performer object in YAML or JSON; - is stdin.",
        show_default=False,
    ),
]
Image = Annotated[str, typer.Option(help="The performer's image.", show_default=False)]
Replicas = Annotated[
    int | None, typer.Option(min=0, help="How many instances.", show_default=False)
]
Env = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="May be repeated.", show_default=False),
]
RequestId = Annotated[
    str,
    typer.Option(
        help="A repeat with the same id changes nothing and answers the same.", show_default=False
    ),
]


@targeted(timeout="60s")
def create(  # noqa: PLR0913  each flag is an argument
    asker: Asker,
    name: Annotated[
        str, typer.Argument(help="The performer's name; that in the file if not given.")
    ] = "",
    file: File = None,
    avs: Annotated[str, typer.Option(help="Address of the AVS.", show_default=False)] = "",
    image: Image = "",
    replicas: Replicas = None,
    env: Env = None,
    wait: Wait = False,
    request_id: RequestId = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> int:
    """Create a performer, from a file or from flags."""
    from hourglass_services.control.port import Creation

    from hourglass_cli.edits import read_manifest, with_flags
    from hourglass_cli.questions import one_namespace

    from .printing import print_done
    from .waiting import code_after

    manifest = read_manifest(file) if file else {"metadata": {}, "spec": {}}
    meta = manifest.get("metadata") or {}
    flags: dict[str, Any] = {"avsAddress": avs, "image": image, "replicas": replicas}
    spec = with_flags(manifest.get("spec") or {}, flags, env or [])
    called = name or str(meta.get("name") or "")

    async def ask(session: "Session") -> Any:
        creation = Creation(
            namespace=asker.target.namespace
            or str(meta.get("namespace") or "")
            or one_namespace(session),
            name=called,
            spec=spec,
            labels=meta.get("labels") or {},
            request_id=request_id,
            validate_only=dry_run,
        )
        return await session.port.create(creation)

    view = asker.quickly(ask)
    print_done(asker, view, output, "would be created" if dry_run else "created")
    return code_after(asker, called, wait=wait and not dry_run)


@targeted(timeout="60s")
def update(  # noqa: PLR0913  each flag is an argument
    asker: Asker,
    name: Performer,
    file: File = None,
    image: Image = "",
    version: Annotated[
        str, typer.Option(help="The version that the spec names.", show_default=False)
    ] = "",
    env: Env = None,
    unset_env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Take a variable out.", show_default=False),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Any field, as in spec.strategy.type=BlueGreen; the value in YAML.",
            show_default=False,
        ),
    ] = None,
    unset: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="Take a field out.", show_default=False),
    ] = None,
    wait: Wait = False,
    etag: Etag = "",
    request_id: RequestId = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> int:
    """Change the fields that are named, and no other."""
    from hourglass_services.control.port import Aim

    from hourglass_cli.edits import Edits, masked
    from hourglass_cli.questions import one_namespace

    from .printing import print_done
    from .waiting import code_after

    changes = masked(
        Edits(
            file=file,
            image=image,
            version=version,
            env=tuple(env or ()),
            unset_env=tuple(unset_env or ()),
            fields=tuple(set_ or ()),
            unset=tuple(unset or ()),
        )
    )

    async def ask(session: "Session") -> Any:
        aim = Aim(
            namespace=one_namespace(session),
            name=name,
            etag=etag,
            request_id=request_id,
            validate_only=dry_run,
        )
        return await session.port.update(aim, changes)

    view = asker.quickly(ask)
    print_done(asker, view, output, "would be updated" if dry_run else "updated")
    return code_after(asker, name, wait=wait and not dry_run)


@targeted(timeout="60s")
def scale(
    asker: Asker,
    name: Performer,
    replicas: Annotated[int, typer.Option(min=0, help="How many instances.", show_default=False)],
    wait: Wait = False,
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> int:
    """Ask for a number of instances."""
    from hourglass_services.control.port import Aim

    from hourglass_cli.questions import one_namespace

    from .printing import print_done
    from .waiting import code_after

    async def ask(session: "Session") -> Any:
        aim = Aim(namespace=one_namespace(session), name=name, etag=etag, validate_only=dry_run)
        return await session.port.scale(aim, replicas)

    done = f"scaled to {replicas}{' (dry run, nothing changed)' if dry_run else ''}"
    print_done(asker, asker.quickly(ask), output, done)
    return code_after(asker, name, wait=wait and not dry_run)


@targeted(timeout="6m")
def delete(
    asker: Asker,
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME",
            help="Names of performers.",
            show_default=False,
            autocompletion=names_of_performers,
        ),
    ],
    force: Annotated[
        bool, typer.Option("--force", help="At once: do not wait for tasks to end.")
    ] = False,
    etag: Etag = "",
    ignore_not_found: Annotated[
        bool, typer.Option("--ignore-not-found", help="No error where there is none.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Drain performers, then delete them and all that they run."""
    from hourglass_common.domain.errors import Code, HourglassError
    from hourglass_services.control.port import Aim

    from hourglass_cli.questions import one_namespace
    from hourglass_cli.terminal import Progress

    progress = Progress()

    async def ask(session: "Session") -> None:
        namespace = one_namespace(session)
        for name in names:
            if not (force or dry_run):
                progress.say(f"{name}: waiting for its tasks to end")
            aim = Aim(namespace=namespace, name=name, etag=etag, validate_only=dry_run)
            try:
                await session.port.delete(aim, force=force)
            except HourglassError as error:
                if error.code is not Code.NOT_FOUND or not ignore_not_found:
                    raise
                progress.end()
                print(f"performer/{name} not found")
            else:
                progress.end()
                print(f"performer/{name} {'would be deleted' if dry_run else 'deleted'}")

    try:
        asker.quickly(ask)
    finally:
        progress.end()
