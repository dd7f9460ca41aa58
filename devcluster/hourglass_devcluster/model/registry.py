"""What each verb does to the store: the rules between a request and a committed change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, assert_never

from . import deletion, events, meta
from .admission import Admission
from .apply import applied, is_unchanged, noted
from .defaults import cluster_ip
from .kinds import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS, Kind
from .patch import json_patched, merge_patched
from .scale import applied_scale, read_scale, scale_of, with_scale
from .status import (
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    method_not_allowed,
    not_found,
    wrong,
)
from .store import Change, Key, Store
from .strategic import strategic_patched
from .tree import copied

Manifest = Mapping[str, Any]
PatchType = Literal["merge", "json", "strategic", "apply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """How a write is asked for. ``warnings`` collects what the answer's headers warn of."""

    now: datetime
    manager: str = "unknown"
    dry_run: bool = False
    force: bool = False
    validation: Literal["Ignore", "Warn", "Strict"] = "Warn"
    warnings: list[str] = field(default_factory=list)


class Registry:
    """Every method raises ApiError for a request that is refused; nothing has changed then.

    ``new_uid`` and ``suffix`` (five characters, completes generateName) bring the randomness;
    ``on_change`` is called once for each committed change.
    """

    def __init__(
        self,
        store: Store,
        admission: Admission,
        *,
        new_uid: Callable[[], str],
        suffix: Callable[[], str],
        on_change: Callable[[Change], None],
    ) -> None:
        self.store = store
        self._admission = admission
        self._new_uid = new_uid
        self._suffix = suffix
        self._on_change = on_change

    def get(self, kind: Kind, namespace: str, name: str, subresource: str = "") -> Manifest:
        stored = events.outward(kind, self._require(kind, namespace, name))
        return read_scale(kind, stored) if subresource == "scale" else stored

    def list(self, kind: Kind, namespace: str = "") -> Sequence[Manifest]:
        return self.store.objects(kind.stored_as, namespace)

    def create(self, kind: Kind, namespace: str, body: Any, write: Write) -> Manifest:
        uid, suffix = self._new_uid(), self._suffix()
        made = meta.new_object(kind, body, namespace, now=write.now, uid=uid, suffix=suffix)
        self._check_namespace(kind, namespace, made["metadata"].get("name", ""))
        made["metadata"].pop("managedFields", None)
        if kind.has_status:
            made.pop("status", None)
        made = self._admit(kind, made, None, write)
        if self.store.get(kind.stored_as, self._key(kind, made)) is not None:
            raise already_exists(kind.group, kind.plural, made["metadata"]["name"])
        made = noted(self._admission.schemas, kind, None, made, write.manager, "", write.now)
        return self._commit_new(kind, made, write)

    def replace(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: Any,
        write: Write,
        subresource: str = "",
    ) -> tuple[Manifest, bool]:
        """Return the object and whether it was created."""
        old = self.store.get(kind.stored_as, (namespace, name))
        if old is None and kind.create_on_update and not subresource:
            return self.create(kind, namespace, body, write), True
        shown = self.get(kind, namespace, name)
        if subresource == "scale":
            new = with_scale(kind, shown, body)
        else:
            new = meta.typed(kind, body)
            if not kind.unconditional_update and not new["metadata"].get("resourceVersion"):
                missing = wrong("metadata.resourceVersion", "0", _MUST_BE_GIVEN)
                raise invalid(kind.group, kind.plural, name, [missing])
        return self._update(kind, shown, new, write, subresource), False

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        how: PatchType,
        patch: Any,
        write: Write,
        subresource: str = "",
    ) -> tuple[Manifest, bool]:
        """Return the object and whether it was created (which only an apply does)."""
        if how == "apply" and subresource == "scale":
            self._require(kind, namespace, name)
            config = applied_scale(kind, patch)
            made, _ = self._apply(kind, namespace, name, config, write, subresource)
            return scale_of(kind, made), False
        if how == "apply":
            return self._apply(kind, namespace, name, patch, write, subresource)
        shown = self.get(kind, namespace, name)
        base = scale_of(kind, shown) if subresource == "scale" else shown
        match how:
            case "merge":
                new = merge_patched(base, patch)
            case "json":
                new = json_patched(base, patch)
            case "strategic":
                new = strategic_patched(self._admission.schemas, kind, base, patch)
            case _:
                assert_never(how)
        if subresource == "scale":
            return scale_of(
                kind, self._update(kind, shown, with_scale(kind, shown, new), write, "scale")
            ), False
        typed = meta.typed(kind, new)
        return self._update(kind, shown, typed, write, subresource, is_patch=True), False

    def delete(
        self, kind: Kind, namespace: str, name: str, options: deletion.Options, write: Write
    ) -> tuple[Manifest, bool]:
        """Return the object and whether it is gone (else it is on its way out)."""
        old = self._require(kind, namespace, name)
        meta.check_preconditions(kind, old, options.uid, options.resource_version)
        if kind is NAMESPACES and name in _LASTING:
            raise forbidden("", "namespaces", name, "this namespace may not be deleted")
        marked = deletion.marked(kind, old, options, write.now)
        if marked is not None:
            return self._commit(kind, old, marked, write), False
        if write.dry_run:
            return events.outward(kind, old), True
        change = self.store.delete(kind.stored_as, self._key(kind, old))
        self._on_change(change)
        return events.outward(kind, change.new), True

    def amend(self, kind: Kind, old: Manifest, new: dict[str, Any], write: Write) -> Manifest:
        """Commit a change of the server's own (garbage collection, namespaces): no admission."""
        return self._commit(kind, old, new, write)

    def _apply(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Any,
        write: Write,
        subresource: str,
    ) -> tuple[Manifest, bool]:
        if not isinstance(patch, Mapping) or not (patch.get("apiVersion") and patch.get("kind")):
            raise bad_request("an applied configuration must have apiVersion and kind")
        config = meta.typed(kind, patch)
        if config["metadata"].setdefault("name", name) != name:
            raise bad_request(
                f"metadata.name ({config['metadata']['name']}) does not match the name of the "
                f"path ({name})"
            )
        meta.place(kind, config["metadata"], namespace)
        if config["metadata"].get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        old = self.store.get(kind.stored_as, (namespace, name))
        if old is None:
            if subresource or config["metadata"].get("uid"):
                raise not_found(kind.group, kind.plural, name)
            self._check_namespace(kind, namespace, name)
            return self._apply_new(kind, config, write), True
        shown = events.outward(kind, old)
        if subresource != "status" or kind.custom is None:
            meta.check_preconditions(kind, old, config["metadata"].get("uid"), None)
        wanted = config["metadata"].get("resourceVersion")
        if wanted and wanted != old["metadata"]["resourceVersion"]:
            raise conflict(kind.group, kind.plural, name)
        self._admission.check_fields(kind, config)
        new = applied(
            self._admission.schemas,
            kind,
            shown,
            config,
            manager=write.manager,
            subresource=subresource,
            force=write.force,
            now=write.now,
        )
        return self._update(kind, shown, new, write, subresource, is_apply=True), False

    def _apply_new(self, kind: Kind, config: dict[str, Any], write: Write) -> Manifest:
        self._admission.check_fields(kind, config)
        name = config["metadata"]["name"]
        bare = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": name, "uid": "", "resourceVersion": ""},
        }
        if kind.has_status:
            config.pop("status", None)
        made = applied(
            self._admission.schemas,
            kind,
            bare,
            config,
            manager=write.manager,
            subresource="",
            force=True,
            now=write.now,
        )
        owned = made["metadata"].get("managedFields")
        for key in ("uid", "resourceVersion"):
            made["metadata"].pop(key, None)
        namespace = config["metadata"].get("namespace", "")
        fresh = meta.new_object(
            kind, made, namespace, now=write.now, uid=self._new_uid(), suffix=""
        )
        fresh = self._admit(kind, fresh, None, write)
        fresh["metadata"]["managedFields"] = owned
        return self._commit_new(kind, fresh, write)

    def _update(
        self,
        kind: Kind,
        shown: Manifest,
        new: dict[str, Any],
        write: Write,
        subresource: str,
        *,
        is_apply: bool = False,
        is_patch: bool = False,
    ) -> Manifest:
        if subresource == "status" and kind.custom is not None and (is_patch or is_apply):
            new["metadata"].pop("uid", None)  # of such a patch only the version is a condition
        meta.keep_identity(kind, shown, new, is_patch=is_patch)
        new = _confined(kind, shown, new, subresource)
        new = self._admit(kind, new, shown, write)
        meta.validate_change(kind, shown, new)
        meta.advance_generation(kind, shown, new)
        if is_apply:
            if is_unchanged(shown, new):
                return shown
        else:
            new = noted(
                self._admission.schemas, kind, shown, new, write.manager, subresource, write.now
            )
        return self._commit(kind, shown, new, write)

    def _commit(self, kind: Kind, old: Manifest, new: dict[str, Any], write: Write) -> Manifest:
        """Commit ``new``; an object whose last finalizer goes while it is deleted goes with it."""
        if new == old or write.dry_run:
            return new
        if deletion.is_finished(kind, new):
            self._on_change(self.store.put(kind.stored_as, events.inward(kind, new)))
            change = self.store.delete(kind.stored_as, self._key(kind, new))
            self._on_change(change)
            return events.outward(kind, change.new)
        change = self.store.put(kind.stored_as, events.inward(kind, new))
        self._on_change(change)
        return events.outward(kind, change.new)

    def _commit_new(self, kind: Kind, made: dict[str, Any], write: Write) -> Manifest:
        if write.dry_run:
            return made
        change = self.store.put(kind.stored_as, events.inward(kind, made))
        self._on_change(change)
        if kind is NAMESPACES:
            self._furnish(made["metadata"]["name"], write)
        return events.outward(kind, change.new)

    def _furnish(self, namespace: str, write: Write) -> None:
        """Make what a controller of Kubernetes puts into every namespace."""
        body = {"metadata": {"name": "default"}}
        self.create(SERVICE_ACCOUNTS, namespace, body, Write(now=write.now, manager=_OURSELVES))
        bundle = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": ""}}
        self.create(CONFIG_MAPS, namespace, bundle, Write(now=write.now, manager=_OURSELVES))

    def _admit(
        self, kind: Kind, new: dict[str, Any], old: Manifest | None, write: Write
    ) -> dict[str, Any]:
        if kind.stored_as == "services" and new.get("spec", {}).get("type") != "ExternalName":
            _give_address(new, old, self.store)
        return self._admission.admit(kind, new, old, write.validation, write.warnings)

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        if not kind.namespaced:
            return
        found = self.store.get(NAMESPACES.stored_as, ("", namespace))
        if found is None:
            raise not_found("", "namespaces", namespace)
        if found["metadata"].get("deletionTimestamp"):
            why = (
                f"unable to create new content in namespace {namespace} because it is being "
                "terminated"
            )
            raise forbidden(kind.group, kind.plural, name, why)

    def _require(self, kind: Kind, namespace: str, name: str) -> Manifest:
        found = self.store.get(kind.stored_as, (namespace, name))
        if found is None:
            raise not_found(kind.group, kind.plural, name)
        return found

    def _key(self, kind: Kind, manifest: Manifest) -> Key:
        place = manifest["metadata"]
        return (place["namespace"] if kind.namespaced else "", place["name"])


_MUST_BE_GIVEN = "must be specified for an update"
_LASTING = ("default", "kube-system")
_OURSELVES = "dev-cluster"


def _confined(kind: Kind, old: Manifest, new: dict[str, Any], subresource: str) -> dict[str, Any]:
    """Return ``new`` with only that changed which its path may change."""
    if subresource == "status":
        kept: dict[str, Any] = copied(old)
        if "status" in new:
            kept["status"] = new["status"]
        else:
            kept.pop("status", None)
        writable: tuple[str, ...] = ("managedFields",)
        if kind.custom is None:
            writable += ("labels", "annotations", "finalizers")
        for key in writable:
            kept["metadata"].pop(key, None)
            if key in new["metadata"]:
                kept["metadata"][key] = new["metadata"][key]
        return kept
    if kind.has_status:
        new.pop("status", None)
        if "status" in old:
            new["status"] = copied(old["status"])
    return new


def _give_address(new: dict[str, Any], old: Manifest | None, store: Store) -> None:
    spec = new.setdefault("spec", {})
    had = (old or {}).get("spec", {}).get("clusterIP")
    if not spec.get("clusterIP"):
        taken = {str(each["spec"].get("clusterIP")) for each in store.objects("services")}
        meta_ = new["metadata"]
        spec["clusterIP"] = had or cluster_ip(
            f"{meta_.get('namespace')}/{meta_.get('name')}", taken
        )
    if not spec.get("clusterIPs") or spec["clusterIPs"][0] != spec["clusterIP"]:
        spec["clusterIPs"] = [spec["clusterIP"]]


def refuse(kind: Kind, verb: str) -> None:
    """Raise 405 unless ``kind`` knows ``verb``."""
    if verb not in kind.verbs:
        raise method_not_allowed(verb, kind.group, kind.plural)
