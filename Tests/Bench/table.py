"""The table: rows with what was measured of each server, beside the goal."""

import dataclasses

SERVERS = ["ours", "nginx", "nginx-tuned", "haproxy", "rclone"]
HEAD = ["work", *SERVERS, "ours is", "goal", ""]


@dataclasses.dataclass
class Row:
    work: str
    #: What was measured, by server, as text or number.
    cells: dict
    #: In words, such as "2.1x nginx".
    ours_is: str = ""
    goal: str = ""
    #: Whether the goal is met; None where there is none.
    is_met: bool | None = None

    def line(self):
        verdict = {True: "met", False: "not met", None: ""}[self.is_met]
        cells = [figure(self.cells.get(server)) for server in SERVERS]
        return "| " + " | ".join([self.work, *cells, self.ours_is, self.goal, verdict]) + " |"


def figure(value):
    """Three digits are more than a shared machine is good for."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def compared(work, cells, other, goal, ours="ours"):
    """A row whose goal is a multiple of another server's figure."""
    ratio = cells[ours] / cells[other] if cells.get(other) else float("nan")
    return Row(work, cells, f"{ratio:.2f}x {other}", f"{goal}x", ratio <= goal)


def markdown(rows):
    return "\n".join(["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD),
                      *(row.line() for row in rows)])
