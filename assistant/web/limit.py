"""ASGI app -> ASGI app: so many questions a minute from one address and from all; whoever asks more is told when to come back."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Collection
from http import HTTPStatus

from throttled import MemoryStore, RateLimiterType, Throttled
from throttled.rate_limiter import per_min

from assistant.web.guard import App, Message, Receive, Send, problem

MOST_ADDRESSES = 20_000
JOIN = "/gradio_api/queue/join"


class Pace:
    """``amount`` turns at once for each key, given back evenly over a minute; 0: no limit.

    The generic cell rate algorithm (ITU-T I.371) by throttled, on a clock that never goes back, for the ``most`` keys that came
    last.
    """

    def __init__(self, amount: int, most: int = MOST_ADDRESSES) -> None:
        store, gcra = MemoryStore(options={"MAX_SIZE": most}), RateLimiterType.GCRA.value
        self._turns = Throttled(using=gcra, quota=per_min(amount, burst=amount), store=store) if amount else None

    def wait(self, key: str) -> float:
        """Take a turn and return 0, or return the seconds until there is one."""
        if self._turns is None:
            return 0.0
        turn = self._turns.limit(key)
        return turn.state.retry_after if turn.limited else 0.0


class Limit:
    """Stand before ``app``. Counted is what makes work: POST to the interface, and to the queue of each Gradio mount.

    An address is only held in memory, for its pace; ``told`` hears ``address`` or ``site`` for each refusal, nothing else.
    """

    def __init__(
        self,
        app: App,
        *,
        mounts: Collection[str] = (),
        address: int = 60,
        site: int = 1200,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.app, self.told = app, told
        self.joins = frozenset(mount + JOIN for mount in mounts)
        self.addresses, self.site = Pace(address), Pace(site)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with 429 and when to come back."""
        wait = self._wait(scope) if self._counts(scope) else 0.0
        if wait:
            await _refuse(send, math.ceil(wait))
        else:
            await self.app(scope, receive, send)

    def _counts(self, scope: Message) -> bool:
        if scope["type"] != "http" or scope["method"] != "POST":
            return False
        path = scope["path"]
        return path.startswith("/api/v1/") or path in self.joins

    def _wait(self, scope: Message) -> float:
        client = scope.get("client")
        if client and (wait := self.addresses.wait(network(client[0]))):
            self.told("address")
            return wait
        if wait := self.site.wait("site"):
            self.told("site")
        return wait


def network(host: str) -> str:
    """Return what is counted together: an IPv4 address, or the /64 network that one IPv6 customer has.

    >>> network("192.0.2.7"), network("2001:db8::7"), network("::ffff:192.0.2.7"), network("elsewhere")
    ('192.0.2.7', '2001:db8::', '192.0.2.7', 'elsewhere')
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:64]  # whatever a trusted proxy calls its client
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False).network_address)


async def _refuse(send: Send, seconds: int) -> None:
    status = HTTPStatus.TOO_MANY_REQUESTS
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"retry-after", str(seconds).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    body = problem(status, f"Too many questions in a minute. Please try again in {seconds} seconds.")
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
