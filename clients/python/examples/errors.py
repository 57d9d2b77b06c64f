"""What can go wrong with a call, and what to do about it. Needs PGW_API_KEY (elsewhere PGW_URL as well)."""

from prediction_gateway import (
    ApiError,
    AuthenticationError,
    Client,
    ConnectionFailedError,
    NotFoundError,
    RateLimitError,
)


def read(client: Client, symbol: str) -> str:
    """A sentence about the newest prediction of `symbol`, or about why there is none."""
    try:
        prediction = client.prediction(symbol)
    except NotFoundError:
        return f"{symbol} has never been predicted"
    except AuthenticationError as error:
        return f"another key is needed: {error.detail}"
    except RateLimitError as error:
        # The client has waited and tried again already, unless the wait was longer than max_wait_s.
        return f"the limit is used up; there is room again in {error.retry_after:g} s"
    except ApiError as error:
        return f"refused with {error.code}: {error.detail} (request {error.request_id})"
    except ConnectionFailedError as error:
        return f"nobody answers: {error}"
    return f"{symbol} is predicted at {prediction.predicted_price:.2f}"


def main() -> None:
    """Good and bad calls."""
    with Client(retries=1, max_wait_s=5) as client:
        for symbol in ("AAPL", "ZZZZZ", "aapl"):
            print(f"{symbol}: {read(client, symbol)}")
    with Client(api_key="pgw_live_mistyped") as stranger:
        print(f"with a bad key: {read(stranger, 'AAPL')}")
    with Client("http://127.0.0.1:9", retries=0) as lost:
        print(f"at a wrong address: {read(lost, 'AAPL')}")


if __name__ == "__main__":
    main()
