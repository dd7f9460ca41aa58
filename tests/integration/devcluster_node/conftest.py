"""The dev cluster that these tests share."""

from tests.support.dev_cluster import dev_cluster

__all__ = ["dev_cluster"]
