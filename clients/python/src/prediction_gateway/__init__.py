"""Client of Prediction Gateway: predictions, history, explanations and the live stream.

`Client` is for threads, `AsyncClient` for asyncio; both have the same methods.
"""

from prediction_gateway.async_client import AsyncClient
from prediction_gateway.async_stream import AsyncStream
from prediction_gateway.client import Client
from prediction_gateway.errors import (
    ApiError,
    AuthenticationError,
    ConflictError,
    ConnectionFailedError,
    GatewayError,
    InvalidRequestError,
    JobFailedError,
    JobTimeoutError,
    NotFoundError,
    PermissionDeniedError,
    ProblemEntry,
    RateLimitError,
    ServerError,
    StreamClosedError,
)
from prediction_gateway.exchange import Response
from prediction_gateway.messages import (
    Connected,
    Disconnected,
    ExplanationCompleted,
    ExplanationProgress,
    Gap,
    Message,
    Notice,
    Update,
)
from prediction_gateway.models import (
    Accuracy,
    Explanation,
    Job,
    Measures,
    Outcome,
    Prediction,
    Predictions,
    Profile,
    Version,
)
from prediction_gateway.places import Position
from prediction_gateway.stream import Stream
from prediction_gateway.version import __version__

__all__ = [
    "Accuracy",
    "ApiError",
    "AsyncClient",
    "AsyncStream",
    "AuthenticationError",
    "Client",
    "ConflictError",
    "Connected",
    "ConnectionFailedError",
    "Disconnected",
    "Explanation",
    "ExplanationCompleted",
    "ExplanationProgress",
    "Gap",
    "GatewayError",
    "InvalidRequestError",
    "Job",
    "JobFailedError",
    "JobTimeoutError",
    "Measures",
    "Message",
    "NotFoundError",
    "Notice",
    "Outcome",
    "PermissionDeniedError",
    "Position",
    "Prediction",
    "Predictions",
    "ProblemEntry",
    "Profile",
    "RateLimitError",
    "Response",
    "ServerError",
    "Stream",
    "StreamClosedError",
    "Update",
    "Version",
    "__version__",
]
