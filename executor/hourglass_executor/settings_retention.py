"""The part of the configuration that says how long ended tasks are remembered."""

from pydantic import Field, model_validator

from .duration import Duration
from .settings_docker import Size
from .settings_sections import Section
from .storage.retention import Retention as Policy


class Retention(Section):
    """Ours: a task that has ended is forgotten after ``age``, or earlier where there are more
    than ``tasks`` of them or they take more than ``size``. Its id is then as good as new: so no
    task is forgotten within ``leastAge``, however many there are. An outcome that is unknown is
    kept until somebody resolves it, unless ``unknownAge`` is set. Text such as "168h" and "2Gi".
    """

    age: Duration = 168 * 3600.0
    tasks: int = Field(default=1_000_000, ge=1)
    size: Size = Field(default=2 << 30, ge=1 << 20)
    least_age: Duration = 600.0
    unknown_age: Duration | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "Retention":
        if self.age < self.least_age:
            raise ValueError("age is not shorter than leastAge")
        return self

    @property
    def policy(self) -> Policy:
        return Policy(
            age=self.age,
            tasks=self.tasks,
            size=self.size,
            least_age=self.least_age,
            unknown_age=self.unknown_age,
        )
