"""One request as the log has it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Optional


@dataclass(frozen=True)
class Record:
    client: str
    moment: datetime  # with an offset
    method: str
    target: str
    status: int
    size: int  # bytes; 0 where the log has `-`
    millis: Optional[int]  # None where it was not measured

    @property
    def is_error(self):
        """Whether the server failed to answer."""
        return self.status >= 500
