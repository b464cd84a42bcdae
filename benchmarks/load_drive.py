"""Sends the mix: as fast as so many callers can, or at a rate that waits for nobody."""

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
class Taken:
    """The calls of one kind: milliseconds of those that were answered as they should be, and how many were not."""

    ms: list[float] = field(default_factory=list)
    failed: int = 0


class Driver:
    """Calls what the mix holds, by chance, and notes what came of it.

    The time of a call of an open load runs from the moment at which it was due: one that is sent late, because the
    machine was busy, has waited that long as well.
    """

    def __init__(self, ports: Mapping[str, int], mix: Sequence[Call], headers: Mapping[str, str]) -> None:
        self.taken: dict[str, Taken] = {}
        self.jobs = Taken()
        self.late_ms: list[float] = []
        self.complaints: Counter[str] = Counter()
        self._origins = {name: Origin(port) for name, port in ports.items()}
        self._mix, self._weights = mix, [call.weight for call in mix]
        self._headers = headers
        self._chance = random.Random(SEED)
        self._waiting: set[asyncio.Task[None]] = set()

    @property
    def sent_again(self) -> int:
        """Calls whose kept connection was closed just then."""
        return sum(origin.sent_again for origin in self._origins.values())

    async def first_job(self) -> None:
        """Have a job done, so that a worker is known to run; raises SystemExit when none is."""
        await self._call(next(call for call in self._mix if call.name == JOB), time.monotonic())
        await self._settled()
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
        await self._settled()
        return sum(len(taken.ms) for taken in self.taken.values()) / lasted

    async def open(self, per_second: float, seconds: float) -> None:
        """Send a call every 1 / `per_second`, whatever became of those before it."""
        began = time.monotonic()
        for number in range(int(per_second * seconds)):
            due = began + number / per_second
            early = due - time.monotonic()
            if early > 0:
                await asyncio.sleep(early)
            self.late_ms.append(1000 * max(0.0, time.monotonic() - due))
            self._begin(self._call(self._next(), due))
        await self._settled()

    def _next(self) -> Call:
        return self._chance.choices(self._mix, self._weights)[0]

    def _begin(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.create_task(work)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _settled(self) -> None:
        while self._waiting:
            await asyncio.gather(*self._waiting)
        for origin in self._origins.values():
            origin.close()

    async def _call(self, call: Call, due: float) -> None:
        answer = await self._answered(call.name, call.server, call.request(self._chance), call.status, due)
        if answer is not None and call.name == JOB:
            self._begin(self._job(answer.headers["location"], due))

    async def _answered(self, name: str, server: str, request: bytes, status: int, due: float) -> Answer | None:
        """The answer, if it is what it should be; notes how long it took."""
        taken = self.taken.setdefault(name, Taken())
        try:
            answer = await self._origins[server].ask(request)
        except Unanswered as error:
            taken.failed += 1
            self.complaints[f"{name}: {error}"] += 1
            return None
        if answer.status != status:
            taken.failed += 1
            self.complaints[f"{name}: {answer.status} {answer.body[:200].decode(errors='replace')}"] += 1
            return None
        taken.ms.append(1000 * (time.monotonic() - due))
        return answer

    async def _job(self, path: str, due: float) -> None:
        """Ask how the job gets on until it is done, which it has to be within two minutes."""
        request = request_of("GET", path, self._headers)
        while time.monotonic() < due + JOB_PATIENCE_S:
            await asyncio.sleep(POLL_S)
            answer = await self._answered("state of a job", "web", request, 200, time.monotonic())
            if answer is not None and json.loads(answer.body)["status"] == "done":
                self.jobs.ms.append(1000 * (time.monotonic() - due))
                return
        self.jobs.failed += 1
        self.complaints["batch job: not done in time"] += 1
