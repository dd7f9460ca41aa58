def table(kind, items, *, now, meta_version="v1", meta=None):
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/" + meta_version,
        "metadata": meta or {},
        "columnDefinitions": [
            {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0}
        ],
        "rows": [
            {
                "cells": [i["metadata"]["name"]],
                "object": {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": i["metadata"],
                },
            }
            for i in items
        ],
    }
