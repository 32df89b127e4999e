"""A workspace's server, spoken to from yours: its bundle, and events for it."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._engine import BundleError, Decision, Engine, Exposure, Feature, RapportError, Reason
from ._http import Address, Refused, Unreachable, post
from ._scores import Scores, question
from .bundle import Bundle
from .events import Answer, Outbox, Post, Step

if TYPE_CHECKING:
    from .visitor import Visitor

log = logging.getLogger("rapport")

# What went wrong with a refresh, and whether the bundle is another one.
Listener = Callable[[RapportError | None, bool], object]

LIBRARY = {"library": {"name": "rapport-python"}}
REMEMBERED_EXPOSURES = 10_000


class _Base:
    """What both clients share: all that neither waits nor sends."""

    def __init__(
        self,
        server: str,
        key: str,
        *,
        bundle: Bundle | None = None,
        public_key: str | None = None,
        secret_key: str | None = None,
        cache: str | os.PathLike[str] | None = None,
        capacity: int = 10_000,
        retries: int = 4,
        timeout: float = 10.0,
        patience: float = 1.0,
    ) -> None:
        """`key` is the write key; `secret_key` (of a developer, say) sends events as proven by
        your server, brings models that no page may have, and asks for the scores of brought ones,
        for which it waits `patience` seconds. `cache` keeps the last bundle in a file, for a start
        without the server."""
        self.bundle = bundle
        self._address = Address(server, timeout)
        self._key = key
        self._public_key = public_key
        self._secret_key = secret_key
        self._scores = Scores(Address(server, patience), secret_key) if secret_key else None
        self._patience = patience
        self._cache = Path(cache) if cache is not None else None
        self._retries = retries
        self._seen: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._outbox = Outbox(secret_key or key, capacity)
        self._listeners: list[Listener] = []
        self._failed = False
        self._engine = bundle.engine(on_exposure=self._exposed) if bundle else None
        self._begin()
        _clients.add(self)

    def _begin(self) -> None:
        """In a new process, too: what waits is the parent's to send."""
        self._outbox.clear()

    @property
    def engine(self) -> Engine:
        """What decides now; replaced by `refresh`, never changed."""
        if self._engine is None:
            raise BundleError("no bundle yet: call refresh(), or give `bundle`")
        return self._engine

    def decide(self, visitor: Visitor, *, reasons: int = 5) -> Decision:
        """See `Engine.decide`."""
        return self.engine.decide(self._known(visitor), reasons=reasons)

    def score(self, visitor: Visitor) -> int | None:
        """See `Engine.score`."""
        return self.engine.score(self._known(visitor))

    def explain(self, visitor: Visitor) -> list[Reason]:
        """See `Engine.explain`."""
        return self.engine.explain(self._known(visitor))

    def feature(self, key: str, visitor: Visitor) -> Feature:
        """See `Engine.feature`; exposures are reported, once a visitor and variation."""
        engine = self.engine
        if engine.reads_score(key):
            visitor = self._known(visitor)
        feature = engine.feature(key, visitor)
        self._shown(engine, feature, visitor)
        return feature

    def track(
        self,
        event: str,
        visitor: Visitor,
        properties: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> bool:
        """Queues that something happened; `more` are Segment's other members, such as `context`.

        Nothing is sent before `flush`, or by what `start` started. Of who refuses analytics and
        profiling nothing is kept. False where the queue is full.
        """
        return self._put(
            {"type": "track", "event": event, "properties": properties or {}}, visitor, more
        )

    def page(
        self,
        visitor: Visitor,
        properties: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> bool:
        """Queues that a page was seen."""
        return self._put({"type": "page", "properties": properties or {}}, visitor, more)

    def identify(
        self,
        visitor: Visitor,
        traits: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> bool:
        """Queues who somebody is: needs `user_id`."""
        return self._put({"type": "identify", "traits": traits or {}}, visitor, more)

    def _known(self, visitor: Visitor) -> Visitor:
        """The visitor with what the server has to say of them, where that can be asked at once."""
        return visitor

    def _asked(self, visitor: Visitor) -> bytes | None:
        """The question for the server; None where there is nothing to ask, or nobody."""
        consent = visitor.get("consent") or {}
        asks = self._scores is not None and self.engine.asks
        if not asks or consent.get("profiling", True) is False:
            return None
        return question(self.engine, visitor)

    @property
    def waiting(self) -> int:
        """How many events wait to be sent."""
        return len(self._outbox)

    @property
    def dropped(self) -> int:
        """How many events were lost: the queue was full, or the server refused their batch."""
        return self._outbox.dropped

    def _put(self, event: dict[str, Any], visitor: Visitor, more: Mapping[str, Any]) -> bool:
        who = {"anonymousId": visitor.get("anonymous_id"), "userId": visitor.get("user_id")}
        known = {name: value for name, value in who.items() if value}
        if not known:
            raise ValueError("an event is somebody's: give the visitor `anonymous_id` or `user_id`")
        consent = visitor.get("consent") or {}
        if consent.get("analytics") is False and consent.get("profiling") is False:
            return True
        context = {**LIBRARY, **({"consent": dict(consent)} if consent else {})}
        context.update(more.get("context", {}))
        return self._outbox.put({**event, **known, **more, "context": context})

    def _exposed(self, exposure: Exposure) -> None:
        visitor = exposure.visitor
        if not (visitor.get("anonymous_id") or visitor.get("user_id")):
            log.debug("an exposure is not reported: the visitor has no anonymous_id or user_id")
            return
        told = (exposure.hash_value, exposure.experiment_id, exposure.variation_id)
        if self._is_news(told):
            self.track("Experiment Viewed", visitor, exposure.properties)

    def _shown(self, engine: Engine, feature: Feature, visitor: Visitor) -> None:
        """Reports an experience that is no experiment."""
        key = feature.rule_id
        who = visitor.get("anonymous_id") or visitor.get("user_id")
        if feature.source != "force" or not who or not engine.is_experience(key):
            return
        if self._is_news((who, key, "")):
            self.track("Experience Viewed", visitor, {"experienceId": key, "bundle": engine.bundle})

    def _is_news(self, told: tuple[str, str, str]) -> bool:
        if told in self._seen:
            return False
        self._seen[told] = None
        if len(self._seen) > REMEMBERED_EXPOSURES:
            with contextlib.suppress(KeyError):  # another thread was first
                self._seen.popitem(last=False)
        return True

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calls back with (error, whether the bundle is another one) when a refresh fails, brings a
        new bundle, or succeeds again; returns how to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _fetch(self) -> bool:
        try:
            changed = self._take(self._newest())
        except RapportError as error:
            self._failed = True
            self._tell(error, False)
            raise
        if changed or self._failed:
            self._failed = False
            self._tell(None, changed)
        return changed

    def _tell(self, error: RapportError | None, changed: bool) -> None:
        for listener in list(self._listeners):
            listener(error, changed)

    def _newest(self) -> Bundle:
        try:
            return Bundle.fetch(
                self._address.server,
                self._key,
                public_key=self._public_key,
                held=self.bundle,
                timeout=self._address.timeout,
                secret_key=self._secret_key,
            )
        except (Refused, Unreachable):
            if self._engine is not None or self._cache is None or not self._cache.exists():
                raise
            log.warning("the server gives no bundle: the one in %s is used", self._cache)
            return Bundle.read(self._cache, public_key=self._public_key)

    def _take(self, bundle: Bundle) -> bool:
        if self.bundle is not None and bundle.manifest == self.bundle.manifest:
            return False
        self._engine = bundle.engine(on_exposure=self._exposed)
        self.bundle = bundle
        if self._cache is not None:
            bundle.save(self._cache)
        return True

    def _post(self, step: Post) -> Answer:
        headers = {"authorization": f"Bearer {self._secret_key}"} if self._secret_key else {}
        try:
            return post(self._address, "/v1/events", step.body, headers)
        except (Refused, Unreachable) as error:
            return error


class Client(_Base):
    """Blocks where it waits. Starts no thread before `start`; survives a fork.

    Where the workspace brought a model that only its server can run, each of `decide`, `score` and
    `explain`, and each `feature` that depends on the score, asks the server. Who calls several for
    one visitor asks once: `visitor = client.ask(visitor)`.
    """

    def _begin(self) -> None:
        super()._begin()
        self._sending = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def ask(self, visitor: Visitor) -> Visitor:
        """The visitor with the score that the server gives, where the model is one that only it can
        run; else the same visitor. Never raises for what the server does: where it gives no answer
        in time, the fallback scores, and `Decision.fault` says why."""
        asked = self._asked(visitor)
        if asked is None or self._scores is None:
            return visitor
        return {**visitor, "said": self._scores.ask(asked)}

    def _known(self, visitor: Visitor) -> Visitor:
        return visitor if visitor.get("said") is not None else self.ask(visitor)

    def refresh(self) -> bool:
        """Gets the newest bundle; whether it is another one. On failure the old one stays."""
        return self._fetch()

    def flush(self) -> None:
        """Sends all that waits. Raises DeliveryError where it does not arrive."""
        self._send(self._retries)

    def start(self, *, every: float = 1.0, refresh_every: float = 60.0) -> None:
        """Starts a thread that sends events and gets new bundles, each so many seconds."""
        if self._thread is None:
            self._ended.clear()
            pace = (every, refresh_every)
            self._thread = threading.Thread(
                target=self._run, args=pace, name="rapport", daemon=True
            )
            self._thread.start()
            atexit.register(self.close)

    def close(self) -> None:
        """Ends the thread, if there is one, and tries once to send what waits."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            atexit.unregister(self.close)
        _logged(lambda: self._send(0))

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, every: float, refresh_every: float) -> None:
        """What the thread does until the client is closed."""
        due = time.monotonic() + refresh_every
        while not self._ended.wait(every):
            _logged(self.flush)
            if time.monotonic() >= due:
                _logged(self.refresh)
                due = time.monotonic() + refresh_every

    def _send(self, retries: int) -> None:
        with self._sending:
            steps = self._outbox.deliver(retries)
            step = next(steps, None)
            while step is not None:
                answer = None
                if isinstance(step, Post):
                    answer = self._post(step)
                else:
                    # Whoever closes meanwhile does not wait for the pause.
                    self._ended.wait(step.seconds)
                step = _next(steps, answer)


class AsyncClient(_Base):
    """The same for asyncio: what waits is awaited. Starts no task before `start`.

    Requests go by the standard library, in `asyncio`'s own pool of threads. Decisions wait for
    nobody: where the workspace brought a model that only its server can run, what is asked about
    `await client.ask(visitor)` is decided by the server's score, else by the fallback's.
    """

    def _begin(self) -> None:
        super()._begin()
        self._task: asyncio.Task[None] | None = None
        self._sending = asyncio.Lock()

    async def ask(self, visitor: Visitor) -> Visitor:
        """See `Client.ask`."""
        asked = self._asked(visitor)
        if asked is None or self._scores is None:
            return visitor
        asking = asyncio.to_thread(self._scores.ask, asked)
        try:
            said = await asyncio.wait_for(asking, self._patience)
        except asyncio.TimeoutError:
            said = self._scores.fail("time", f"no answer within {self._patience} s")
        return {**visitor, "said": said}

    async def refresh(self) -> bool:
        """Gets the newest bundle; whether it is another one. On failure the old one stays."""
        return await asyncio.to_thread(self._fetch)

    async def flush(self) -> None:
        """Sends all that waits. Raises DeliveryError where it does not arrive."""
        await self._send(self._retries)

    def start(self, *, every: float = 1.0, refresh_every: float = 60.0) -> None:
        """Starts a task of the running loop that sends events and gets new bundles."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(every, refresh_every))

    async def close(self) -> None:
        """Ends the task, if there is one, and tries once to send what waits."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await _logged_later(self._send(0))

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _run(self, every: float, refresh_every: float) -> None:
        due = time.monotonic() + refresh_every
        while True:
            await asyncio.sleep(every)
            await _logged_later(self.flush())
            if time.monotonic() >= due:
                await _logged_later(self.refresh())
                due = time.monotonic() + refresh_every

    async def _send(self, retries: int) -> None:
        async with self._sending:
            steps = self._outbox.deliver(retries)
            step = next(steps, None)
            while step is not None:
                answer = None
                if isinstance(step, Post):
                    answer = await asyncio.to_thread(self._post, step)
                else:
                    await asyncio.sleep(step.seconds)
                step = _next(steps, answer)


def _next(steps: Generator[Step, Answer, None], answer: Answer) -> Step | None:
    try:
        return steps.send(answer)
    except StopIteration:
        return None


def _logged(work: Callable[[], object]) -> None:
    """In the background what fails is said in the log, and tried again in the next round."""
    try:
        work()
    except RapportError as error:
        log.warning("%s", error)


async def _logged_later(work: Awaitable[object]) -> None:
    try:
        await work
    except RapportError as error:
        log.warning("%s", error)


_clients: weakref.WeakSet[_Base] = weakref.WeakSet()


def _after_fork() -> None:
    for client in _clients:
        client._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
