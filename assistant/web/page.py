"""Assistant -> Gradio page: the article beside a conversation that only the reader's browser keeps."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from assistant import questions
from assistant.errors import AssistantError, BadInputError, UnsupportedClaimError
from assistant.records import DISCLAIMER, Answer, Document, Reader, Turn
from assistant.web import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from assistant.pipeline import Assistant

MAX_QUESTION = questions.MAX_CHARACTERS
DEFECT = "A sentence of the answer did not match its source, so it is not shown. Please ask in other words."
MAX_LOG = 200_000  # characters of conversation that are sent back and forth
STATIC = Path(__file__).parent / "static"
MOUNT_OPTIONS: Mapping[str, Any] = {
    "footer_links": [],
    "run_history": False,
    "theme": gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
    "show_error": False,
    "ssr_mode": False,
    "pwa": False,
    "enable_monitoring": False,
    "max_file_size": "1kb",
    "blocked_paths": ["/"],
}
Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """A page for readers: where it is mounted and whether the article stands beside the conversation."""

    path: str
    article: bool


VIEWS = (View("/app", article=True), View("/embed", article=False))


def mount_options(view: View, origins: Sequence[str] = ()) -> dict[str, Any]:
    """Return how Gradio mounts a view; the chat for other sites is told which ``origins`` may speak with it."""
    head = '<script src="/static/page.js"></script>'
    styles = [STATIC / "page.css"]
    if not view.article:
        listed = html.escape(" ".join(origins), quote=True)
        head = f'<meta name="followup-origins" content="{listed}">{head}<script src="/static/embed.js"></script>'
        styles.append(STATIC / "embed.css")
    return {**MOUNT_OPTIONS, "head": head, "css_paths": styles}


def build(assistant: Assistant, view: View) -> gr.Blocks:
    """Lay out the page of a view and wire its three ways to ask: the box, the button, and commands of ``page.js``."""
    with gr.Blocks(title="Follow-up questions", analytics_enabled=False, fill_width=True) as page:
        shown = gr.Textbox(visible=False)  # id of the article
        with gr.Column(elem_id="page", elem_classes=None if view.article else "chat-only"):
            _static(render.skip("Skip to the question"), elem_id="skip")
            with gr.Row(elem_id="panes"):
                with gr.Column(elem_id="article-pane"):
                    article = _static("")
                with gr.Column(elem_id="chat-pane"):
                    _static(render.element("h2", render.text("Have a follow-up question?")), elem_id="chat-title")
                    choices = [(reader.value.capitalize(), reader.value) for reader in Reader]
                    reader = gr.Radio(choices, value=Reader.CLINICIAN.value, label="I am reading as a", elem_id="reader")
                    log = _log()
                    with gr.Row(elem_id="ask"):
                        question = gr.Textbox(
                            label="Your question",
                            show_label=False,
                            placeholder="Ask about this article",
                            lines=1,
                            max_lines=4,
                            max_length=MAX_QUESTION,
                            elem_id="question",
                        )
                        button = gr.Button("Ask", variant="primary", elem_id="ask-button")
            command = gr.Textbox(visible="hidden", elem_id="command")  # written by page.js
            _static(_disclaimer(), elem_id="disclaimer")
        quiet = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "once"}

        def first(request: gr.Request) -> tuple[str, str, str, list[Message]]:
            return opened(assistant, request.query_params, named=not view.article)

        def asked(text: str, chat: list[Message], who: str, about: str) -> Iterator[tuple[str, list[Message]]]:
            yield from (("", messages) for messages in exchange(assistant, Wish(text), chat, Reader(who), about or None))

        def commanded(order: str, chat: list[Message], who: str, about: str) -> Iterator[list[Message]]:
            yield from exchange(assistant, wish(order, chat), chat, Reader(who), about or None)

        page.load(first, outputs=[article, reader, shown, log], **quiet)
        gr.on([question.submit, button.click], asked, [question, log, reader, shown], [question, log], **quiet)
        command.change(commanded, [command, log, reader, shown], log, **quiet)
    page.queue(default_concurrency_limit=8, max_size=64, api_open=False)
    return page


def _static(content: str, **options: Any) -> gr.Markdown:
    return gr.Markdown(content, sanitize_html=False, latex_delimiters=[], **options)


def _log() -> gr.Chatbot:
    return gr.Chatbot(
        label="Conversation",
        show_label=False,
        elem_id="log",
        render_markdown=False,
        sanitize_html=True,
        latex_delimiters=[],
        layout="panel",
        autoscroll=False,
        buttons=[],
        feedback_options=None,
        group_consecutive_messages=False,
        height=None,
    )


def _disclaimer() -> str:
    return render.element("p", render.element("strong", render.Html("Medical disclaimer. ")), render.text(DISCLAIMER))


def opened(assistant: Assistant, wanted: Mapping[str, str], *, named: bool = False) -> tuple[str, str, str, list[Message]]:
    """Return article, reader, article id and opening message for the address the page was opened with.

    With ``named`` only the article that the address names will do: under another site's page any other would mislead.
    """
    articles = {document.id: document for document in assistant.articles}
    name = wanted.get("article", "")
    document = articles.get(name, next(iter(articles.values()), None))
    reader = wanted.get("reader", "")
    reader = reader if reader in set(Reader) else Reader.CLINICIAN.value
    if named and name not in articles:
        return "", reader, name or "?", [_said("assistant", render.unknown_article())]
    about = document.id if document else None
    greeting = _said("assistant", render.greeting(assistant.suggest(about), assistant.writer.model))
    return _article(assistant, document), reader, about or "", [greeting]


def _article(assistant: Assistant, document: Document | None) -> str:
    if document is None:
        return render.element("p", render.Html("There is no article in this collection."))
    others = [other for other in assistant.articles if other.id != document.id]
    return render.fold(document, assistant.retriever.documents, others)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reader asks: the words, the inherited terms to leave out, and how many messages of the log came before."""

    text: str
    without: tuple[str, ...] = ()
    before: int | None = None


def exchange(
    assistant: Assistant, wish: Wish, chat: Sequence[Message], reader: Reader, article: str | None
) -> Iterator[list[Message]]:
    """Yield the log with the question, then with its answer too. ``chat`` comes from the browser and is not trusted."""
    if not wish.text.strip():
        yield list(chat)
        return
    log = [*_trimmed(chat), _said("user", render.text(wish.text))]
    yield log
    history = turns(chat if wish.before is None else chat[: wish.before])
    number = 1 + max((_note(message).get("turn", 0) for message in chat), default=0)
    try:
        answer = _ask(assistant, wish, history, reader, article)
    except UnsupportedClaimError:
        yield [*log, _said("assistant", render.failure(DEFECT), {"turn": number})]
    except AssistantError as error:
        yield [*log, _said("assistant", render.failure(str(error)), {"turn": number})]
    else:
        yield [*log, _said("assistant", render.answer(answer, number, wish.without), _carried(answer, number))]


def _ask(assistant: Assistant, wish: Wish, history: Sequence[Turn], reader: Reader, article: str | None) -> Answer:
    if len(wish.text) > MAX_QUESTION:
        message = f"The question has more than {MAX_QUESTION:,} characters. Please ask a shorter one."
        raise BadInputError(message)
    return assistant.ask(wish.text, history, article, reader, wish.without)


def _said(role: str, content: str, note: Mapping[str, Any] | None = None) -> Message:
    return {"role": role, "content": content, "metadata": {"id": json.dumps(note or {})}}


def _carried(answer: Answer, number: int) -> dict[str, Any]:
    """Return what the browser carries back of an answer, so that the next question can lean on it."""
    supports = [*(s for claim in answer.claims for s in claim.support), *answer.nearest]
    return {
        "turn": number,
        "interpreted": answer.query.text,
        "passages": list(dict.fromkeys(support.passage.id for support in supports)),
        "suggestions": list(answer.suggestions),
    }


def turns(chat: Sequence[Message]) -> list[Turn]:
    """Rebuild the past exchanges from a log that the browser sent: what cannot be read is left out."""
    rebuilt = []
    for place, message in enumerate(chat):
        note = _note(chat[place + 1]) if place + 1 < len(chat) else {}
        if message.get("role") == "user" and _words(message):
            interpreted = note.get("interpreted")
            rebuilt.append(
                Turn(
                    _words(message)[:MAX_QUESTION],
                    interpreted if isinstance(interpreted, str) else "",
                    _strings(note.get("passages")),
                    _strings(note.get("suggestions")),
                )
            )
    return rebuilt


def _words(message: Message) -> str:
    """Return the words of a question in the log, as the reader wrote them."""
    content = message.get("content")
    pieces = content if isinstance(content, list) else [{"text": content}]
    written = "".join(piece["text"] for piece in pieces if isinstance(piece, dict) and isinstance(piece.get("text"), str))
    return html.unescape(written.replace("<br>", "\n"))


def _note(message: Message) -> dict[str, Any]:
    """Return what an answer in the log carries; nothing when it is not what we wrote."""
    metadata = message.get("metadata")
    note = _object(metadata.get("id")) if isinstance(metadata, dict) else {}
    if type(note.get("turn", 0)) is not int or not 0 <= note.get("turn", 0) < MAX_LOG:
        return {}
    return note


def _object(written: Any) -> dict[str, Any]:
    try:
        value = json.loads(written) if isinstance(written, str) else None
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str))[:50] if isinstance(value, list) else ()


def wish(order: str, chat: Sequence[Message]) -> Wish:
    """Read a command of ``page.js``: ``{"ask": words}``, or ``{"turn": n, "without": [terms]}`` to ask a question again."""
    wanted = _object(order)
    if isinstance(wanted.get("ask"), str):
        return Wish(wanted["ask"])
    for place, message in enumerate(chat):
        if place and "turn" in wanted and _note(message).get("turn") == wanted["turn"]:
            return Wish(_words(chat[place - 1]), _strings(wanted.get("without")), place - 1)
    return Wish("")


def _trimmed(chat: Sequence[Message]) -> list[Message]:
    """Drop the oldest messages of a log that has grown too long, and say so in its place."""
    sizes = [len(json.dumps(message, default=str)) for message in chat]
    first = 0
    while sum(sizes[first:]) > MAX_LOG:
        first += 1
    while first and first < len(chat) and chat[first].get("role") != "user":
        first += 1
    if not first:
        return list(chat)
    note = render.element(
        "p", render.Html("Earlier questions have been dropped from this conversation."), class_="answer dropped"
    )
    return [_said("assistant", note), *chat[first:]]
