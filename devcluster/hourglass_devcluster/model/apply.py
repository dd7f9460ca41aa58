from .patch import merge_patched


def applied(schemas, kind, live, config, *, manager, subresource, force, now):
    return merge_patched(live, config)


def noted(schemas, kind, old, new, manager, subresource, now):
    return new


def is_unchanged(old, new):
    return old == new
