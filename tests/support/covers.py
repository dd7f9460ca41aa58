"""``@covers("list pods", "patch services apply")``: which requests a contract case stands for."""

import pytest


def covers(*requests: str) -> pytest.MarkDecorator:
    """Name requests as ``kube_requests.request_name`` does."""
    return pytest.mark.covers(*requests)
