"""PubMed ids -> Work or Fault, online through the E-utilities of NCBI: in batches, at the rate that NCBI asks for."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import httpx
import stamina

from assistant.errors import BadInputError, ImportFileError, NetworkError
from assistant.references import pubmed, safexml
from assistant.references.work import Fault, Work

BASE_URL = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/"
TOOL = "followup-assistant"
BATCH = 200  # ids in one request
LARGEST = 64 * 1024 * 1024  # bytes of one reply
PAUSE, PAUSE_WITH_KEY = 1 / 3, 1 / 10  # seconds between requests
ATTEMPTS = 5
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500
_PATIENCE = 30.0  # seconds: the longest Retry-After that is waited for
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,200}")
_ID = re.compile(r"[1-9][0-9]{0,7}")


def checked(pmids: Sequence[str], email: str | None) -> list[str]:
    """Return the ids without repeats; raise BadInputError when one is no PubMed id or NCBI could not reach the caller."""
    bare = list(dict.fromkeys(pmid.strip() for pmid in pmids))
    wrong = [pmid for pmid in bare if not _ID.fullmatch(pmid)]
    if wrong:
        raise BadInputError(f"{wrong[0]!r} is no PubMed id: give 1 to 8 digits, such as 30821677.")
    if bare and not _EMAIL.fullmatch(email or ""):
        raise BadInputError("NCBI asks who fetches: give your address with --email or in FOLLOWUP_EMAIL.")
    return bare


def fetch(
    pmids: Sequence[str], email: str | None, api_key: str | None = None, base_url: str = BASE_URL, timeout: float = 30.0
) -> Iterator[Work | Fault]:
    """Yield the records of these ids; an id without a record is a Fault.

    Raises:
        BadInputError: an id or the address is none.
        NetworkError: the server did not answer, after the records of the batches before were yielded.
    """
    ids = checked(pmids, email)
    form = {"db": "pubmed", "retmode": "xml", "tool": TOOL, "email": email or ""} | ({"api_key": api_key} if api_key else {})
    batches = [ids[start:end] for start, end in pairwise([*range(0, len(ids), BATCH), len(ids)])]
    pause = PAUSE_WITH_KEY if api_key else PAUSE
    with httpx.Client(base_url=base_url, timeout=timeout) as client:
        for n, batch in enumerate(batches):
            if n:
                time.sleep(pause)
            yield from _records(_reply(client, form | {"id": ",".join(batch)}, pause), batch)


def _reply(client: httpx.Client, form: dict[str, str], pause: float) -> bytes:
    """The form travels in the body, so that neither address nor key stands in a log of addresses."""
    try:
        for attempt in stamina.retry_context(on=_backoff, attempts=ATTEMPTS, timeout=120.0, wait_initial=max(0.5, pause)):
            with attempt, client.stream("POST", "efetch.fcgi", data=form) as response:
                response.raise_for_status()
                return _bounded(response)
    except httpx.HTTPStatusError as error:
        raise NetworkError(f"PubMed answered {error.response.status_code}. {_way_out(error.response.status_code)}") from error
    except httpx.HTTPError as error:
        cause = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "cannot be reached"
        raise NetworkError(
            f"PubMed {cause}. Check the connection and try again, or download the records as XML and add the file."
        ) from error
    raise NetworkError("PubMed did not answer. Try again later.")


def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > LARGEST:
            raise NetworkError("PubMed's answer is larger than 64 MB. Ask for fewer ids at once.")
    return bytes(body)


def _backoff(error: Exception) -> bool | float:
    """Tell whether to try again, or how many seconds to wait when the server says so."""
    if not isinstance(error, httpx.HTTPStatusError):
        return isinstance(error, httpx.TransportError)
    code = error.response.status_code
    if code != _TOO_MANY_REQUESTS and code < _SERVER_ERROR:
        return False
    wait = error.response.headers.get("retry-after", "")
    return min(float(wait), _PATIENCE) if re.fullmatch(r"[0-9]{1,4}", wait) and int(wait) else True


def _way_out(code: int) -> str:
    if code == _TOO_MANY_REQUESTS:
        return "Too many requests came from this address: wait a minute, or use an API key of NCBI."
    return "Try again later." if code >= _SERVER_ERROR else "Check the ids and the API key."


def _records(body: bytes, asked: Sequence[str]) -> Iterator[Work | Fault]:
    if safexml.root(body) not in pubmed.ROOTS:
        raise NetworkError(f"PubMed answered with something else than records: {body[:80]!r}. Try again later.")
    try:
        safexml.refuse_unsafe(body, "PubMed's answer")
    except ImportFileError as error:
        raise NetworkError(f"{error}") from error
    missing = dict.fromkeys(asked)
    for found in pubmed.read(io.BytesIO(body), "PubMed's answer", datetime.now(UTC).date().isoformat()):
        if isinstance(found, Work):
            missing.pop(found.source.pmid or "", None)
        yield found
    yield from (Fault(f"PMID {pmid}: PubMed has no such record. Check the number.") for pmid in missing)
