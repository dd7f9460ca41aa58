from .patch import merge_patched


def strategic_patched(schemas, kind, base, patch):
    return merge_patched(base, patch)
