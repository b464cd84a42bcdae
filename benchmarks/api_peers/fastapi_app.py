"""The endpoint most teams would write: FastAPI, a key or a token, slowapi's limit and the answer in Redis.

It counts no usage, writes no log line and sends no header of the limit.
"""

import hashlib
import os
import secrets
from pathlib import Path
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from redis.asyncio import Redis
from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded

from benchmarks.api_peers.bare import BODY

REDIS_URL = os.environ["REDIS_URL"]
KEYS = Path(os.environ["PEER_KEYS"]).read_text().split()
SECRET = os.environ["PEER_SECRET"]
OWNERS = {hashlib.sha256(key.encode()).hexdigest(): f"bench-{number}" for number, key in enumerate(KEYS)}


def caller(request: Request) -> str:
    return str(request.state.caller)


async def signed_in(
    request: Request,
    x_api_key: Annotated[str | None, Header()] = None,
    authorization: Annotated[str | None, Header()] = None,
) -> str:
    """Return the owner of the key or token. Raises HTTPException with status 401 for any other credential."""
    if x_api_key is not None:
        owner = OWNERS.get(hashlib.sha256(x_api_key.encode()).hexdigest())
    else:
        try:
            claims = jwt.decode((authorization or "").removeprefix("Bearer "), SECRET, algorithms=["HS256"])
        except jwt.InvalidTokenError:
            claims = {}
        owner = claims.get("sub")
    if owner is None:
        raise HTTPException(status_code=401)
    request.state.caller = owner
    return str(owner)


limiter = Limiter(key_func=caller, storage_uri=REDIS_URL)
store = Redis.from_url(REDIS_URL)
application = FastAPI()
application.state.limiter = limiter
application.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)


@application.get("/api/v1/predict")
@limiter.limit("1000000000/minute")
async def predict(
    request: Request,
    owner: Annotated[str, Depends(signed_in)],
    symbol: Annotated[str, Query(min_length=1, max_length=15)],
    horizon: Annotated[int, Query(ge=1, le=20)] = 5,
) -> Response:
    body = await store.get(f"peer:{symbol}:{horizon}")
    if body is None:
        body = BODY
        await store.set(f"peer:{symbol}:{horizon}", body, ex=600)
    return Response(body, media_type="application/json", headers={"x-request-id": secrets.token_hex(16)})
