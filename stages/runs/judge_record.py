"""What the fit file and the decision record say of one judge."""

from pydantic import Field

from stages.foundation.record_files import Record


class Judge(Record):
    """A held-out domain or a set of scored items that has a say in a decision."""

    name: str = Field(description="name under fit.judges")
    metric: str = Field(description="metric of the runs table, in bits a byte")
    weight: float = Field(description="weight in the mean, of the judges used; sum 1")
    signal: float = Field(
        description="largest less least mean of the arms at the largest size and budget, bits a byte"
    )
    noise: float = Field(
        description="standard deviation of one run of an arm there, bits a byte"
    )
    used: bool = Field(description="whether it counts in the mean")
    reason: str = Field(description="why it counts or not, with the numbers")


class JudgedLoss(Record):
    """How one arm stands against another by one judge, at one budget."""

    judge: str = Field(description="name of the judge")
    arm: str = Field(description="arm")
    against: str = Field(description="arm that it is compared with")
    excess: tuple[float, float, float] = Field(
        description="arm less the other: (value, low, high), bits a byte; positive is worse"
    )
    may_lose: float | None = Field(
        description="the most that it may lose there, bits a byte; null: no veto"
    )
    p_over: float | None = Field(
        description="share of the draws in which it loses more than it may; null: no veto"
    )
