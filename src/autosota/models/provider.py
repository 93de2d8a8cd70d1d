"""Hosted and local models through pydantic-ai, behind the port `Model`.

The library is imported by the first question, or by `warm` in a thread of its own while other work goes on. All requests of a
process run on one event loop in one thread, whatever thread asks. An answer's form is asked for as the endpoint allows it:
by JSON schema, else as a JSON object, else in words alone; what it refuses once is not tried again.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import random
import re
import threading
import time
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from autosota.errors import MachineError, ModelError
from autosota.models import prices
from autosota.models.endpoints import Endpoint
from autosota.ports import Answer, Prompt

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.models import Model as Library

Form = Literal["schema", "object", "words"]
HINT = "pip install 'autosota[models]'"
_LARGEST = 8 * 2**20
"""Bytes of one response that are read."""
_ATTEMPTS = 4
_SHORTEST = 1000
"""Tokens that a reply may at least have; an endpoint that allows less is of no use."""
_LONGEST_WAIT = 90.0
"""Seconds waited at most between two attempts; a provider that asks for more is left for later."""
_FORMS: tuple[Form, ...] = ("schema", "object", "words")


class ProviderModel:
    """One endpoint's model. `timeout`: seconds for one attempt; `pace`: factor on the pauses between attempts; `deadline`:
    time.monotonic() after which nothing is asked, and no attempt takes more than a quarter of the time until then."""

    def __init__(self, endpoint: Endpoint, *, timeout: float = 600.0, deadline: float | None = None, pace: float = 1.0) -> None:
        self.name = endpoint.name
        self.longest = 4000 if endpoint.local else 16000
        self._endpoint, self._timeout, self._deadline, self._pace = endpoint, timeout, deadline, pace
        self._library: Library | None = None
        self._flipped = False
        self._forms: tuple[Form, ...] = ()
        self._lock = threading.Lock()

    def warm(self) -> None:
        """Import the library and build its client, unless that is done. Raises MachineError where it is not installed."""
        with self._lock:
            if self._library is None:
                try:
                    self._library = _build(self._endpoint)
                except ImportError as error:
                    raise MachineError(f"--model {self.name} needs a library that is not installed: {error.name}", HINT) from None
                profile = self._library.profile
                self._forms = tuple(
                    form for form in _FORMS
                    if form == "words" or profile.get(f"supports_json_{form}_output", self._endpoint.wire == "openai")
                )  # fmt: skip

    def warm_quietly(self) -> None:
        """The same for a thread of its own: what is missing is said by the first question."""
        with contextlib.suppress(MachineError):
            self.warm()

    def complete(self, prompt: Prompt, schema: Mapping[str, object] | None = None) -> Answer:
        """As the port says. Waits and asks again where that can help; a refused form of answer falls back to the next."""
        try:
            self.warm()
        except MachineError as error:
            raise ModelError(error.message, error.hint, lasting=True) from None
        started, attempt = time.monotonic(), 0
        refused: Form | None = None
        while True:
            attempt += 1
            with self._lock:
                form = self._forms[0]
            try:
                answer = self._once(prompt, schema if form != "words" else None, form)
            except Exception as error:  # noqa: BLE001 - what libraries raise on a malformed response is open-ended
                if self._yield_to(error):
                    attempt -= 1
                    continue
                if _form_refused(error) and form != "words" and schema is not None:
                    self._forget(form)
                    refused = refused or form
                    continue
                if refused is not None and _form_refused(error):
                    self._remember(refused)  # the form was not what was wrong
                pause = self._pause(error, attempt)
                if pause is None:
                    raise _translated(self.name, error, attempt) from None
                time.sleep(pause)
                continue
            return Answer(
                text=answer.text, input_tokens=answer.input_tokens, cached_tokens=answer.cached_tokens, usd=answer.usd,
                output_tokens=answer.output_tokens, ended=answer.ended, seconds=round(time.monotonic() - started, 4),
            )  # fmt: skip

    def price(self, input_tokens: int, output_tokens: int) -> float | None:
        """From the price list or the user's own statement."""
        return prices.cost(self._endpoint, input_tokens, output_tokens)

    # ── one attempt ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _once(self, prompt: Prompt, schema: Mapping[str, object] | None, form: Form) -> Answer:
        left = self._timeout if self._deadline is None else min(self._timeout, (self._deadline - time.monotonic()) / 4)
        if left <= 0:
            raise _OverTime
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(self._request(prompt, schema, form), left), _loop())
        try:
            response = future.result(left + 10)
        except (concurrent.futures.TimeoutError, TimeoutError):
            raise _TookTooLong(left) from None
        finally:
            future.cancel()
        return self._answer(prompt, response)

    async def _request(self, prompt: Prompt, schema: Mapping[str, object] | None, form: Form) -> ModelResponse:
        from pydantic_ai.direct import model_request
        from pydantic_ai.messages import ModelRequest, UserPromptPart
        from pydantic_ai.models import ModelRequestParameters
        from pydantic_ai.output import OutputObjectDefinition

        assert self._library is not None
        parameters = ModelRequestParameters()
        if schema is not None:
            described = OutputObjectDefinition(json_schema=dict(schema), name="answer")
            parameters = ModelRequestParameters(
                output_mode="native" if form == "schema" else "prompted", output_object=described, prompted_output_template=False
            )
        return await model_request(
            self._library, [ModelRequest(parts=[UserPromptPart(prompt.question)], instructions=prompt.stable)],
            model_settings={"max_tokens": self.longest, "max_retries": 0, "timeout": self._timeout, "cache": {"messages": False}},
            model_request_parameters=parameters,
        )  # fmt: skip

    def _answer(self, prompt: Prompt, response: ModelResponse) -> Answer:
        from pydantic_ai.messages import TextPart, ToolCallPart

        texts = [part.content for part in response.parts if isinstance(part, TextPart)]
        texts += [part.args_as_json_str() for part in response.parts if isinstance(part, ToolCallPart)]
        text, usage = "".join(texts), response.usage
        given = usage.input_tokens or len((prompt.stable + prompt.question).encode()) // 4
        said = usage.output_tokens or len(text.encode()) // 4
        refused = response.finish_reason == "content_filter" or "refusal" in (response.provider_details or {})
        return Answer(
            text=text, input_tokens=given, cached_tokens=usage.cache_read_tokens, output_tokens=said,
            usd=prices.cost(self._endpoint, given, said, cached=usage.cache_read_tokens, written=usage.cache_write_tokens),
            ended="refused" if refused else "length" if response.finish_reason == "length" else "end",
        )  # fmt: skip

    def _yield_to(self, error: Exception) -> bool:
        """Did the endpoint refuse how long a reply may be, or the field that says so? Ask for less, or by the other field."""
        words = _brief(error, 2000).lower() if _refused(error) else ""
        if not re.search(r"max_(completion_|output_)?tokens|maxoutputtokens|maximum context|context length", words):
            return False
        with self._lock:
            if re.search(r"unsupported|not supported|unrecognized|unknown|use 'max_", words) and not self._flipped:
                self._flipped = True
                self._library = _build(self._endpoint, flipped=True)
                return True
            if self.longest <= _SHORTEST:
                return False
            self.longest = max(_SHORTEST, self.longest // 2)
            return True

    def _forget(self, form: Form) -> None:
        with self._lock:
            if len(self._forms) > 1:
                self._forms = tuple(other for other in self._forms if other != form)

    def _remember(self, form: Form) -> None:
        with self._lock:
            self._forms = _FORMS[_FORMS.index(form) :]

    def _pause(self, error: Exception, attempt: int) -> float | None:
        """Seconds until the next attempt; None where there is no point in one."""
        most = _attempts(error)
        if attempt >= most:
            return None
        asked = getattr(error, "retry_after", None)
        wait = float(asked) if asked is not None else self._pace * min(30.0, 2.0 ** (attempt - 1)) * random.uniform(0.7, 1.3)
        if wait > _LONGEST_WAIT or (self._deadline is not None and time.monotonic() + wait > self._deadline):
            return None
        return max(0.0, wait)


class _OverTime(Exception):
    """The run's time is over."""


class _TookTooLong(Exception):
    """One attempt took longer than it may."""


class _TooMuch(Exception):
    """The response goes on and on."""


# ── what went wrong ───────────────────────────────────────────────────────────────────────────────────────────────────


def _attempts(error: Exception) -> int:
    """How often a request that ended so is sent at most."""
    from pydantic_ai import exceptions as known

    if _caused_by(error, _TooMuch) or isinstance(error, _OverTime):
        return 1
    if isinstance(error, (known.ModelRateLimitError, known.ModelUnavailableError, known.ModelServerError)):
        return _ATTEMPTS
    if isinstance(error, (known.ModelTimeoutError, known.ModelRequestTimeout, _TookTooLong)):
        return 2
    if isinstance(error, known.ModelConnectionError):
        return 3
    if isinstance(
        error, (known.ModelRequestRejectedError, known.ModelQuotaExceededError, known.UserError, known.ContentFilterError)
    ):
        return 1
    if isinstance(error, known.ModelHTTPError):
        return _ATTEMPTS if error.status_code in (408, 409, 425, 429) or error.status_code >= 500 else 1
    return 2  # a malformed response


def _refused(error: Exception) -> bool:
    from pydantic_ai import exceptions as known

    return isinstance(error, known.ModelRequestRejectedError)


def _form_refused(error: Exception) -> bool:
    """May it be the form of answer that the endpoint does not take?"""
    from pydantic_ai import exceptions as known

    specific = (known.ModelAuthenticationError, known.ModelNotFoundError, known.ModelContextWindowExceededError)
    rejected = isinstance(error, known.ModelRequestRejectedError) and not isinstance(error, specific)
    return rejected or isinstance(error, known.UserError)


def _translated(name: str, error: Exception, attempts: int) -> ModelError:
    """Our own error, without the prompt and without headers: messages go into records."""
    from pydantic_ai import exceptions as known

    tried = f" after {attempts} attempts" if attempts > 1 else ""
    if isinstance(error, _OverTime):
        return ModelError(f"{name}: the run's time is over", "--time gives more", prompt=True)
    if isinstance(error, known.ModelAuthenticationError):
        return ModelError(f"{name}: the key is refused", "check the key's environment variable", lasting=True)
    if isinstance(error, known.ModelNotFoundError):
        return ModelError(f"{name}: there is no such model at this endpoint", "check its name", lasting=True)
    if isinstance(error, known.ModelQuotaExceededError):
        return ModelError(f"{name}: the account's quota or credit is used up", "top it up", lasting=True)
    if isinstance(error, known.ModelContextWindowExceededError):
        return ModelError(f"{name}: the prompt is longer than the model's context", "use a model with a larger one", prompt=True)
    if isinstance(error, known.ContentFilterError):
        return ModelError(f"{name}: refused by the provider's filter", prompt=True)
    if isinstance(error, known.ModelRequestRejectedError):
        return ModelError(f"{name}: the request is rejected ({_brief(error)})", prompt=True)
    if _caused_by(error, _TooMuch):
        return ModelError(f"{name}: the response is longer than {_LARGEST // 2**20} MiB", spent=True)
    if isinstance(error, (known.ModelTimeoutError, known.ModelRequestTimeout, _TookTooLong)):
        return ModelError(f"{name}: no reply in time{tried}", spent=True)
    if isinstance(error, known.ModelConnectionError):
        return ModelError(f"{name}: no connection{tried}", "is it running, and the network up?", spent=error.phase == "read")
    if isinstance(error, known.ModelHTTPError):
        return ModelError(f"{name}: HTTP status {error.status_code}{tried}")
    return ModelError(f"{name}: a response that cannot be read{tried} ({type(error).__name__})", spent=True)


def _brief(error: Exception, most: int = 160) -> str:
    body = getattr(error, "body", None)
    words = body.get("message") or body.get("error") if isinstance(body, dict) else body
    words = words.get("message") if isinstance(words, dict) else words
    return " ".join(str(words or type(error).__name__).split())[:most]


def _caused_by(error: BaseException | None, kind: type[Exception]) -> bool:
    for _ in range(8):
        if error is None or isinstance(error, kind):
            break
        error = error.__cause__ or error.__context__
    return isinstance(error, kind)


# ── the library ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _build(endpoint: Endpoint, *, flipped: bool = False) -> Library:
    """The library's model of an endpoint; `flipped`: the longest reply is said by the other of two fields.

    Raises ImportError where the extra is not installed.
    """
    client = _client()
    if endpoint.wire == "anthropic":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        made = AnthropicProvider(api_key=endpoint.key or "none", base_url=endpoint.base_url, http_client=client)
        return AnthropicModel(endpoint.model, provider=made)
    if endpoint.wire == "google":
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider

        return GoogleModel(
            endpoint.model,
            provider=GoogleProvider(api_key=endpoint.key or "none", base_url=endpoint.base_url, http_client=client),
        )
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    base = endpoint.base_url or "https://api.openai.com/v1"
    provider = OpenAIProvider(base_url=base, api_key=endpoint.key or "none", http_client=client)
    own = (endpoint.base_url is None) != flipped
    profile: Any = {"openai_chat_supports_max_completion_tokens": own}
    return OpenAIChatModel(endpoint.model, provider=provider, profile=profile)


def _client() -> Any:
    """An HTTP client that follows no redirects (they could carry a key elsewhere) and reads bounded responses."""
    import httpx2

    class _Bounded(httpx2.AsyncByteStream):
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for part in self._inner:
                size += len(part)
                if size > _LARGEST:
                    raise _TooMuch
                yield part

        async def aclose(self) -> None:
            await self._inner.aclose()

    async def bound(response: Any) -> None:
        response.stream = _Bounded(response.stream)

    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(600.0, connect=10.0), follow_redirects=False, event_hooks={"response": [bound]}
    )


_running: list[asyncio.AbstractEventLoop] = []
_starting = threading.Lock()


def _loop() -> asyncio.AbstractEventLoop:
    """The event loop that all requests of this process run on."""
    with _starting:
        if not _running:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="autosota-models", daemon=True).start()
            _running.append(loop)
        return _running[0]
