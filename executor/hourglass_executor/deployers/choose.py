"""Which mode a deployment by RPC uses, and the deployments that the configuration asks for. Pure
but for the ids, which are given in."""

from collections.abc import Callable, Mapping

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.executor.port import EnvironmentVariable, KeyReference

from hourglass_executor.settings import MIXED_MODES, AvsPerformer, ExecutorSettings
from hourglass_executor.settings_kubernetes import PerformerKubernetes, options_text
from hourglass_executor.settings_sections import Env, KeyRef

from .deployment import Artifact, Deployment, Mode


def mode_for(avs: str, settings: ExecutorSettings) -> Mode:
    """Return the mode of the AVS's configured performer, else that of all configured ones, else
    the only one that the configuration makes possible, else docker.

    FAILED_PRECONDITION where that is more than one.
    """
    modes = {one.avs_address: Mode(one.deployment_mode) for one in settings.avs_performers}
    if avs in modes:
        return modes[avs]
    possible = set(modes.values()) or {
        *({Mode.KUBERNETES} if settings.kubernetes is not None else ()),
        *({Mode.PROCESS} if settings.processes.allow else ()),
        *({Mode.DOCKER} if settings.docker is not None else ()),
    }
    if len(possible) == 1:
        return possible.pop()
    if possible:
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"several deployment modes are configured, and none for AVS {avs}",
            reason="DEPLOYMENT_MODE",
            hint="name the AVS in avsPerformers with its deploymentMode",
        )
    return Mode.DOCKER


def place_for(
    avs: str, registry: str, current: Mode | None, settings: ExecutorSettings
) -> tuple[Mode, str]:
    """Return where a deployment by RPC goes, and its registry without the word that says so.

    ``docker://``, ``kubernetes://`` or ``process://`` before the registry names a mode where
    ``allowMixedModes`` is set; without it the AVS stays in the mode of its performer in service,
    ``current``, if it has one. FAILED_PRECONDITION for another mode than the only one.
    """
    word, mark, rest = registry.partition("://")
    named = next((mode for mode in Mode if mark and mode.value == word), None)
    if settings.allow_mixed_modes:
        return (named, rest) if named else (current or mode_for(avs, settings), registry)
    usual = mode_for(avs, settings)
    if named is None or (named, usual) == (Mode.PROCESS, Mode.KUBERNETES):
        return usual, registry  # the dev cluster has images that are called process://...
    if named is usual:
        return usual, rest
    raise HourglassError(
        Code.FAILED_PRECONDITION,
        MIXED_MODES,
        reason="MIXED_MODES",
        hint=f"allowMixedModes: true lets {avs} move to {named.value} mode",
    )


def configured(settings: ExecutorSettings, new_id: Callable[[str], str]) -> tuple[Deployment, ...]:
    """Return the deployments of ``avsPerformers``; ``new_id`` makes a performer id for an AVS."""
    return tuple(
        _deployment(one, new_id(one.avs_address), options_for(one.avs_address, settings))
        for one in settings.avs_performers
    )


def options_for(avs: str, settings: ExecutorSettings) -> str:
    """Return what a deployment for the AVS says of its Performer object: the options of the AVS's
    configured performer, over those for all."""
    if settings.kubernetes is None:
        return ""
    defaults = settings.kubernetes.performer_defaults
    for one in settings.avs_performers:
        if one.avs_address == avs:
            replicas = one.replicas if "replicas" in one.model_fields_set else None
            return options_text(defaults, one.kubernetes, replicas)
    return options_text(defaults, PerformerKubernetes())


def _deployment(performer: AvsPerformer, performer_id: str, options: str) -> Deployment:
    return Deployment(
        performer_id=performer_id,
        avs=performer.avs_address,
        artifact=Artifact(
            registry=performer.image.repository,
            digest=performer.image.digest,
            tag=performer.image.tag,
        ),
        mode=Mode(performer.deployment_mode),
        environment=tuple(_variable(env) for env in performer.envs),
        service_account=performer.kubernetes.service_account_name,
        endpoint_override=performer.kubernetes.endpoint_override,
        replicas=performer.replicas,
        options="" if performer.kubernetes.performer_name else options,
        follows=performer.kubernetes.performer_name,
        configured=True,
    )


def _variable(env: Env) -> EnvironmentVariable:
    kept = env.kubernetes_env.value_from if env.kubernetes_env else None
    return EnvironmentVariable(
        name=env.name,
        value=env.value,
        value_from_env=env.value_from_env,
        secret=_key(kept.secret_key_ref) if kept else None,
        config_map=_key(kept.config_map_key_ref) if kept else None,
    )


def _key(ref: KeyRef | None) -> KeyReference | None:
    return KeyReference(name=ref.name, key=ref.key) if ref else None


def without_cluster(deployment: Deployment, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a deployment that runs outside of Kubernetes, its AVS among them.

    INVALID_ARGUMENT for one that only Kubernetes has; FAILED_PRECONDITION as ``resolved``.
    """
    for variable in deployment.environment:
        if variable.secret is not None or variable.config_map is not None:
            raise HourglassError(
                Code.INVALID_ARGUMENT,
                f"environment variable {variable.name} comes from a Secret or ConfigMap, which "
                "only Kubernetes has",
                reason="KUBERNETES_ENV",
                hint=f"use value or valueFromEnv in {deployment.mode.value} mode",
            )
    return {"AVS_ADDRESS": deployment.avs, **resolved(deployment.environment, environ)}


def resolved(
    environment: tuple[EnvironmentVariable, ...], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the values of plain variables, and of those taken from the executor's environment.

    FAILED_PRECONDITION names a variable that the executor's environment lacks.
    """
    found: dict[str, str] = {}
    for variable in environment:
        if variable.secret is not None or variable.config_map is not None:
            continue
        if not variable.value_from_env:
            found[variable.name] = variable.value
        elif variable.value_from_env in environ:
            found[variable.name] = environ[variable.value_from_env]
        else:
            raise HourglassError(
                Code.FAILED_PRECONDITION,
                f"environment variable {variable.name} is to come from the executor's own "
                f"{variable.value_from_env}, which is not set",
                reason="ENVIRONMENT_MISSING",
                hint=f"set {variable.value_from_env} where the executor runs",
            )
    return found
