"""Why does the model say so? Needs PGW_API_KEY; symbol and depth may be arguments."""

import math
import sys

from prediction_gateway import Client, Job, JobFailedError


def tell(job: Job) -> None:
    """How far it is."""
    print(f"{job.status} {job.progress:.0%} {job.stage}", file=sys.stderr)


def main(symbol: str = "AAPL", depth: str = "deep") -> None:
    """Order, wait, print the greatest contributions first."""
    with Client() as client:
        try:
            explanation = client.explain(symbol, depth, on_progress=tell)
        except JobFailedError as error:
            sys.exit(f"the explainer gave up: {error.detail}")
    print(explanation.summary)
    for one in sorted(explanation.contributions, key=lambda one: -abs(one.value)):
        # Contributions are log returns, so that they add up; one alone is a per cent.
        print(f"{math.expm1(one.value):+.4%}  {one.text}")


if __name__ == "__main__":
    main(*sys.argv[1:])
