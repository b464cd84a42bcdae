"""Sends the mix in a closed loop of callers, or in an open loop at a fixed rate."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.load_client import Answer, Origin, Unanswered
from benchmarks.load_mix import JOB, Call, request_of

JOB_PATIENCE_S = 120.0
POLL_S = 1.0
SEED = 7


@dataclass(slots=True)
class Timings:
    """Calls of one kind: milliseconds of the successful ones, and the number of failures."""

    ms: list[float] = field(default_factory=list)
    failed: int = 0


class Driver:
    """Sends random calls of the mix and records their times.

    In an open loop the time of a call starts when it is due, so a call sent late includes its delay.
    """

    def __init__(self, ports: Mapping[str, int], mix: Sequence[Call], headers: Mapping[str, str]) -> None:
        self.timings: dict[str, Timings] = {}
        self.jobs = Timings()
        self.late_ms: list[float] = []
        self.complaints: Counter[str] = Counter()
        self._origins = {name: Origin(port) for name, port in ports.items()}
        self._mix, self._weights = mix, [call.weight for call in mix]
        self._headers = headers
        self._chance = random.Random(SEED)
        self._waiting: set[asyncio.Task[None]] = set()

    @property
    def repeated(self) -> int:
        """Return how many calls met a closed keep-alive connection."""
        return sum(origin.repeated for origin in self._origins.values())

    async def first_job(self) -> None:
        """Run one job, to prove that a worker runs. Raises SystemExit."""
        await self._call(next(call for call in self._mix if call.name == JOB), time.monotonic())
        await self._finish_open_calls()
        if not self.jobs.ms:
            raise SystemExit(f"No worker does a batch job: {', '.join(self.complaints)}")

    async def closed(self, callers: int, seconds: float) -> float:
        """Each caller sends its next call when the last is answered; returns answers a second."""
        began = time.monotonic()

        async def caller() -> None:
            while time.monotonic() < began + seconds:
                await self._call(self._next(), time.monotonic())

        await asyncio.gather(*(caller() for _ in range(callers)))
        lasted = time.monotonic() - began
        await self._finish_open_calls()
        return sum(len(timings.ms) for timings in self.timings.values()) / lasted

    async def open(self, per_second: float, seconds: float) -> None:
        """Send a call every 1 / `per_second`, without waiting for earlier answers."""
        began = time.monotonic()
        for number in range(int(per_second * seconds)):
            due = began + number / per_second
            early = due - time.monotonic()
            if early > 0:
                await asyncio.sleep(early)
            self.late_ms.append(1000 * max(0.0, time.monotonic() - due))
            self._begin(self._call(self._next(), due))
        await self._finish_open_calls()

    def _next(self) -> Call:
        return self._chance.choices(self._mix, self._weights)[0]

    def _begin(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.create_task(work)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _finish_open_calls(self) -> None:
        while self._waiting:
            await asyncio.gather(*self._waiting)
        for origin in self._origins.values():
            origin.close()

    async def _call(self, call: Call, due: float) -> None:
        answer = await self._send(call.name, call.server, call.request(self._chance), call.status, due)
        if answer is not None and call.name == JOB:
            self._begin(self._job(answer.headers["location"], due))

    async def _send(self, name: str, server: str, request: bytes, status: int, due: float) -> Answer | None:
        """Return the answer if it has the expected status, and record its time."""
        timings = self.timings.setdefault(name, Timings())
        try:
            answer = await self._origins[server].send(request)
        except Unanswered as error:
            timings.failed += 1
            self.complaints[f"{name}: {error}"] += 1
            return None
        if answer.status != status:
            timings.failed += 1
            self.complaints[f"{name}: {answer.status} {answer.body[:200].decode(errors='replace')}"] += 1
            return None
        timings.ms.append(1000 * (time.monotonic() - due))
        return answer

    async def _job(self, path: str, due: float) -> None:
        """Poll the job until it is done, at most two minutes."""
        request = request_of("GET", path, self._headers)
        while time.monotonic() < due + JOB_PATIENCE_S:
            await asyncio.sleep(POLL_S)
            answer = await self._send("state of a job", "web", request, 200, time.monotonic())
            if answer is not None and json.loads(answer.body)["status"] == "done":
                self.jobs.ms.append(1000 * (time.monotonic() - due))
                return
        self.jobs.failed += 1
        self.complaints["batch job: not done in time"] += 1
