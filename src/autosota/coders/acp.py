"""Any coding agent that speaks the Agent Client Protocol, its process in the sandbox, its permissions answered by us.

We offer it neither files nor terminals of the host: it works with its own tools, in the sandbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Full, Queue
from typing import Any

from autosota import __version__
from autosota.coders.program import Program, Running
from autosota.errors import MachineError, StageError
from autosota.ports import Brief, Limits, Outfit, Sandbox, Step

_WORDS = 4000
"""Characters of words that become one step."""
_TEXT = 20_000
_AHEAD = 200
"""Steps that may wait to be looked at."""
_MESSAGE = 32 * 2**20
_LIMITS = Limits(seconds=3600.0, memory=12 * 2**30, processes=512, output=2**20)
_EDITS = ("edit", "delete", "move")


class AcpCoder:
    """Talks to an agent over its standard streams."""

    def __init__(self, program: Program) -> None:
        """Raises MachineError where the protocol's library is not installed."""
        try:
            import acp  # noqa: F401
        except ImportError:
            raise MachineError(
                "coders over ACP need the package agent-client-protocol", "pip install 'autosota[coders]'"
            ) from None
        self.name = program.preset.name
        self._program = program

    def outfit(self, scratch: Path) -> contextlib.AbstractContextManager[Outfit]:
        """See the port."""
        return self._program.outfit(scratch)

    def work(self, brief: Brief, sandbox: Sandbox) -> Iterator[Step]:
        """See the port."""
        with self._program.started(sandbox, _LIMITS) as running:
            talk = _Talk(running, brief, sandbox.root)
            thread = threading.Thread(target=talk.hold, name="acp", daemon=True)
            thread.start()
            try:
                while (step := talk.steps.get()) is not None:
                    yield step
            finally:
                talk.over.set()
                running.end()
                thread.join(timeout=10.0)
            if talk.problem:
                raise StageError(f"{self.name}: {talk.problem}")


@dataclass
class _Talk:
    """One session with an agent."""

    running: Running
    brief: Brief
    root: str
    steps: Queue[Step | None] = field(default_factory=lambda: Queue(_AHEAD))
    over: threading.Event = field(default_factory=threading.Event)
    """Nobody listens any more."""
    problem: str = ""

    def tell(self, step: Step | None) -> None:
        """Hand over a step; an agent that is far ahead waits."""
        while not self.over.is_set():
            with contextlib.suppress(Full):
                self.steps.put(step, timeout=0.2)
                return

    def hold(self) -> None:
        """In a thread: to the end of the agent's turn, or to the end of its connection."""
        from acp.exceptions import RequestError

        try:
            with _quieted():
                asyncio.run(self._hold())
        except RequestError as error:
            self.problem = f"{error} {str(error.data or '')[:300]}".strip()
        except (OSError, EOFError, ValueError, asyncio.CancelledError) as error:
            self.running.end()
            self.problem = f"the connection ended: {error}; {self.running.last_words()}"
        except Exception as error:  # noqa: BLE001 - what an agent sends can make the library raise anything
            self.problem = f"the agent's messages cannot be followed: {type(error).__name__}: {str(error)[:300]}"
        finally:
            self.tell(None)

    async def _hold(self) -> None:
        from acp import PROTOCOL_VERSION, connect_to_agent, text_block
        from acp.exceptions import RequestError
        from acp.schema import ClientCapabilities, Implementation

        reader, writer = await asyncio.open_connection(sock=self.running.stdio.dup(), limit=_MESSAGE)
        client: Any = _Client(self.tell, self.root)
        connection = connect_to_agent(client, writer, reader)
        try:
            hello = await connection.initialize(
                protocol_version=PROTOCOL_VERSION, client_capabilities=ClientCapabilities(),
                client_info=Implementation(name="autosota", version=__version__),
            )  # fmt: skip
            try:
                session = await connection.new_session(cwd=self.root, mcp_servers=[])
            except RequestError as error:
                if error.code != -32000 or not hello.auth_methods:
                    raise
                await connection.authenticate(method_id=_method([method.id for method in hello.auth_methods]))
                session = await connection.new_session(cwd=self.root, mcp_servers=[])
            told = "\n\n".join(filter(None, (self.brief.instructions, self.brief.guidance)))
            await connection.prompt(session_id=session.session_id, prompt=[text_block(told)])
            client.flush()
        finally:
            client.flush()
            with contextlib.suppress(OSError):
                await connection.close()


def _quiet(record: logging.LogRecord) -> bool:
    """What an agent sends wrongly is no error of ours to print."""
    return not record.pathname.replace("\\", "/").rpartition("/")[0].endswith(("/acp", "/acp/task"))


_quieting = threading.Lock()
_sessions = 0


@contextlib.contextmanager
def _quieted() -> Iterator[None]:
    """The root logger, on which the library complains, leaves that out as long as any session lasts."""
    global _sessions
    with _quieting:
        _sessions += 1
        logging.getLogger().addFilter(_quiet)
    try:
        yield
    finally:
        with _quieting:
            _sessions -= 1
            if not _sessions:
                logging.getLogger().removeFilter(_quiet)


def _method(names: Sequence[str]) -> str:
    """The way to log in that needs a key and no browser."""
    return next((name for name in names if "key" in name.lower() or "openai" in name.lower()), names[0])


class _Client:
    """Our side: turns updates into steps, and answers what the agent asks."""

    def __init__(self, tell: Callable[[Step], None], root: str) -> None:
        self._tell, self._root = tell, root
        self._words = ""
        self._calls: dict[str, dict[str, Any]] = {}
        self._spent = 0.0

    def flush(self) -> None:
        """What was said so far becomes a step."""
        words, self._words = self._words.strip(), ""
        if words:
            self._tell(Step("words", words[:_WORDS]))

    async def session_update(self, session_id: str, update: Any, **kwargs: Any) -> None:
        """Something happened."""
        kind = update.session_update
        if kind == "agent_message_chunk":
            self._words += getattr(update.content, "text", "") or ""
            if len(self._words) >= _WORDS:
                self.flush()
        elif kind in ("tool_call", "tool_call_update"):
            self._call(update)
        elif (
            kind == "usage_update" and (cost := update.cost) is not None and cost.currency == "USD" and cost.amount > self._spent
        ):
            self._tell(Step("words", "(the agent's own account of its cost)", usd=cost.amount - self._spent))
            self._spent = cost.amount

    def _call(self, update: Any) -> None:
        call = self._calls.setdefault(update.tool_call_id, {})
        for name in ("title", "kind", "raw_input", "raw_output", "content", "locations", "status"):
            if (value := getattr(update, name, None)) is not None:
                call[name] = value
        if call.get("status") not in ("completed", "failed") or call.get("told"):
            return
        call["told"] = True
        self.flush()
        given = call.get("raw_input")
        command = given.get("command") if isinstance(given, dict) else None
        text = " ".join(map(str, command)) if isinstance(command, list) else str(command or call.get("title") or "")
        places = ", ".join(str(place.path) for place in call.get("locations", ()))
        edited = call.get("kind") in _EDITS
        self._tell(
            Step(
                "edit" if edited else "command", f"{text} {places if edited and places not in text else ''}".strip()[:_TEXT],
                _output(call)[-_TEXT:], int(call["status"] == "failed"),
            )
        )  # fmt: skip

    async def request_permission(self, session_id: str, tool_call: Any, options: list[Any], **kwargs: Any) -> Any:
        """Yes to what stays inside the working copy; the sandbox holds it there whatever is answered."""
        from acp.schema import AllowedOutcome, DeniedOutcome, RequestPermissionResponse

        paths = [str(place.path) for place in tool_call.locations or ()]
        inside = all(_inside(path, self._root) for path in paths)
        wanted = ("allow_once", "allow_always") if inside else ("reject_once", "reject_always")
        chosen = next((option for kind in wanted for option in options if option.kind == kind), None)
        if not inside:
            self._tell(Step("words", f"(not allowed outside the working copy: {', '.join(paths)[:300]})"))
        if chosen is None:
            return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
        return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=chosen.option_id))

    async def ext_method(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Nothing beyond the protocol is offered."""
        from acp.exceptions import RequestError

        raise RequestError.method_not_found(method)

    async def ext_notification(self, method: str, params: dict[str, Any]) -> None:
        """Not listened to."""

    def on_connect(self, conn: Any) -> None:
        """See the library."""


def _inside(path: str, root: str) -> bool:
    """Below the working copy or the private temporary folder, without a way up."""
    parts = path.split("/")
    return ".." not in parts and (not path.startswith("/") or path == root or path.startswith((root + "/", "/tmp/")))


def _output(call: dict[str, Any]) -> str:
    texts = []
    for item in call.get("content", ()):
        inner = getattr(item, "content", None)
        if (text := getattr(inner, "text", None)) is not None:
            texts.append(text)
        elif (path := getattr(item, "path", None)) is not None:
            texts.append(f"changed {path}")
    raw = call.get("raw_output")
    return "\n".join(texts) or (str(raw) if raw is not None else "")
