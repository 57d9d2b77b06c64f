"""Follow symbols for as long as it takes, across drops. Needs PGW_API_KEY; symbols may be arguments.

Stop the gateway while it runs, and start it again: what was missed comes first, or a gap says what may
be missing. It ends after 10 updates (UPDATES=0: never).
"""

import asyncio
import os
import sys

from prediction_gateway import AsyncClient, AsyncStream, Connected, Disconnected, Gap, Notice, Update


async def follow(stream: AsyncStream, most: int) -> None:
    """Print what comes, until there were `most` updates."""
    count = 0
    async for message in stream:
        match message:
            case Connected(resumed=resumed):
                print("connected again" if resumed else "connected")
            case Update(symbol=symbol, seq=seq, predicted_price=price):
                print(f"{symbol} {price:.2f} (number {seq})")
                count += 1
            case Gap(symbol=symbol, from_seq=from_seq, to_seq=to_seq):
                print(f"between {from_seq} and {to_seq} updates of {symbol} may be missing")
            case Disconnected(code=code, reason=reason, retry_in_s=retry_in_s):
                print(f"disconnected ({code} {reason}), back in {retry_in_s:.1f} s")
            case Notice(code=code, symbol=symbol):
                print(f"told: {code} {symbol or ''}")
        if count == most:
            return


async def main() -> None:
    """One stream of one client."""
    symbols = sys.argv[1:] or ["AAPL", "MSFT"]
    async with AsyncClient() as client, client.stream(symbols) as stream:
        await follow(stream, int(os.environ.get("UPDATES", "10")))


if __name__ == "__main__":
    asyncio.run(main())
