"""The part of the configuration that is about looking into a running executor."""

from pydantic import Field

from .settings_sections import Section


class Inspection(Section):
    """Ours: ``decisions`` is how many steps of tasks Explain remembers, in memory; ``taps``
    watchers may follow at a time, each with room for ``tapBuffer`` events until it reads them."""

    decisions: int = Field(default=2000, ge=10, le=1_000_000)
    taps: int = Field(default=8, ge=0, le=1000)
    tap_buffer: int = Field(default=1000, ge=1, le=100_000)
