"""Assistant -> Gradio page: the article beside a conversation that only the reader's browser keeps.

An answer is ready in milliseconds, so nothing is streamed word by word: the question is shown at once, then the whole answer
with all of its sources. A citation can never be pressed before its source is there.
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from assistant import questions
from assistant.errors import AssistantError, UnsupportedClaimError
from assistant.records import DISCLAIMER, MODEL_DISCLAIMER, Answer, Document, Reader, Turn
from assistant.web import export, render
from assistant.web.strings import LANGUAGES, Voice, strings, voice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from assistant.pipeline import Assistant

MAX_QUESTION = questions.MAX_CHARACTERS
DEFECT = strings("en")["trouble.defect"]
MAX_LOG = 300_000  # characters of conversation that are sent back and forth
MAX_REPLAY = 30  # answers that one order of the browser may make again
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
    with gr.Blocks(title=Voice().say("title"), analytics_enabled=False, fill_width=True) as page:
        shown = gr.Textbox(visible=False)  # id of the article
        language = gr.Textbox(visible=False)
        with gr.Column(elem_id="page", elem_classes=None if view.article else "chat-only"):
            skip = _static(elem_id="skip")
            with gr.Row(elem_id="panes"):
                with gr.Column(elem_id="article-pane"):
                    article = _static(_waiting("loading"))
                with gr.Column(elem_id="chat-pane"):
                    title = _static(elem_id="chat-title")
                    reader = gr.Radio(_choices(Voice()), value=Reader.CLINICIAN.value, elem_id="reader")
                    _static(_waiting("unopened", role="alert", hidden=""), elem_id="failure")  # shown by page.js
                    log = _log()
                    with gr.Row(elem_id="ask"):
                        question = gr.Textbox(
                            **_asking(Voice()),
                            interactive=False,
                            lines=1,
                            max_lines=4,
                            max_length=MAX_QUESTION,
                            elem_id="question",
                        )
                        button = gr.Button(Voice().say("ask.button"), variant="primary", interactive=False, elem_id="ask-button")
            command = gr.Textbox(visible="hidden", elem_id="command")  # written by page.js
            exported = _static(elem_id="exported", visible="hidden")  # read by page.js
            words = _static(elem_id="words", visible="hidden")  # what page.js says
            disclaimer = _static(render.disclaimer(), elem_id="disclaimer")
        dressed = [skip, title, reader, question, button, words, disclaimer]
        talk = [log, reader, shown, language]
        quiet = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "once"}

        def first(request: gr.Request) -> list[Any]:
            wanted = request.query_params
            pane, who, about, chat = opened(assistant, wanted, named=not view.article)
            spoken = _voice(assistant, wanted.get("lang"), who)
            return [pane, about, spoken.language, chat, *_dressed(spoken)]

        def asked(text: str, chat: list[Message], who: str, about: str, lang: str) -> Iterator[tuple[str, list[Message]]]:
            yield from (("", messages) for messages in exchange(assistant, Wish(text), chat, Reader(who), about or None, lang))

        def told_to(who: str, chat: list[Message], about: str, lang: str) -> list[Any]:
            spoken = _voice(assistant, lang, who)
            return [again(assistant, chat, spoken, about or None), *_dressed(spoken)]

        def commanded(order: str, chat: list[Message], who: str, about: str, lang: str) -> Iterator[Any]:
            wanted, kept = _object(order), [gr.skip()] * (len(dressed) + 3)
            if "export" in wanted:
                yield [exported_as(assistant, wanted, chat, about or None), gr.skip(), *kept[1:]]
            elif "replay" in wanted:
                told, pane, who, about = replayed(assistant, wanted["replay"], lang, named=not view.article)
                yield [gr.skip(), told, pane, about, *_dressed(_voice(assistant, lang, who))]
            else:
                steps = exchange(assistant, wish(order, chat), chat, Reader(who), about or None, lang)
                yield from ([gr.skip(), messages, *kept[1:]] for messages in steps)

        page.load(first, outputs=[article, shown, language, log, *dressed], **quiet)
        gr.on([question.submit, button.click], asked, [question, *talk], [question, log], **quiet)
        reader.input(told_to, [reader, log, shown, language], [log, *dressed], **{**quiet, "trigger_mode": "always_last"})
        command.change(commanded, [command, *talk], [exported, log, article, shown, *dressed], **quiet)
    page.queue(default_concurrency_limit=8, max_size=64, api_open=False)
    return page


def _static(content: str = "", **options: Any) -> gr.Markdown:
    return gr.Markdown(content, sanitize_html=False, latex_delimiters=[], **options)


def _waiting(key: str, **attributes: str) -> str:
    """Say in every language why the page is not ready: which one is wanted is not known yet."""
    said = [render.element("span", render.text(Voice(name).say(f"page.{key}")), lang=name) for name in LANGUAGES]
    return render.element("p", *said, class_="not-ready", id=key, **attributes)


def _choices(spoken: Voice) -> list[tuple[str, str]]:
    return [(spoken.say(f"reader.{reader}"), reader.value) for reader in Reader]


def _asking(spoken: Voice) -> dict[str, Any]:
    return {"label": spoken.say("ask.label"), "show_label": False, "placeholder": spoken.say("ask.placeholder")}


def _dressed(spoken: Voice) -> list[Any]:
    """Return the fixed texts of the page in a voice, in the order of the parts they are for."""
    said = {
        **spoken.page(),
        "lang": spoken.language,
        "title": spoken.say("title"),
        "disclaimer-text": spoken.say("disclaimer.text"),
    }
    return [
        render.skip(spoken.say("skip")),
        render.element("h2", render.text(spoken.say("heading"))),
        gr.update(choices=_choices(spoken), value=spoken.reader.value, label=spoken.say("reader.label")),
        gr.update(**_asking(spoken), interactive=True),
        gr.update(value=spoken.say("ask.button"), interactive=True),
        render.element("p", render.text(json.dumps(said, ensure_ascii=False))),
        render.disclaimer(spoken),
    ]


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


def _voice(assistant: Assistant, language: str | None, reader: str | None) -> Voice:
    return replace(voice(language, reader), model=assistant.writer.model is not None)


def opened(assistant: Assistant, wanted: Mapping[str, str], *, named: bool = False) -> tuple[str, str, str, list[Message]]:
    """Return article, reader, article id and opening message for the address the page was opened with.

    With ``named`` only the article that the address names will do: under another site's page any other would mislead.
    """
    articles = {document.id: document for document in assistant.articles}
    name = wanted.get("article", "")
    document = articles.get(name, next(iter(articles.values()), None))
    spoken = _voice(assistant, wanted.get("lang"), wanted.get("reader"))
    if named and name not in articles:
        return "", spoken.reader.value, name or "?", [_said("assistant", render.unknown_article(spoken))]
    about = document.id if document else None
    return _article(assistant, document, spoken), spoken.reader.value, about or "", [_greeting(assistant, about, spoken)]


def _greeting(assistant: Assistant, about: str | None, spoken: Voice) -> Message:
    return _said("assistant", render.greeting(assistant.suggest(about), spoken))


def _article(assistant: Assistant, document: Document | None, spoken: Voice) -> str:
    if document is None:
        return render.element("p", render.text(spoken.say("no-article")))
    others = [other for other in assistant.articles if other.id != document.id]
    return render.fold(document, assistant.retriever.documents, others, spoken)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reader asks: the words, the inherited terms to leave out, and the turn after which it is asked (None: the last)."""

    text: str
    without: tuple[str, ...] = ()
    follows: int | None = None


def exchange(
    assistant: Assistant, wish: Wish, chat: Sequence[Message], reader: Reader, article: str | None, language: str = "en"
) -> Iterator[list[Message]]:
    """Yield the log with the question, then with its answer too. ``chat`` comes from the browser and is not trusted."""
    if not wish.text.strip():
        yield list(chat)
        return
    spoken = _voice(assistant, language, reader)
    log = [*_trimmed(chat, spoken), _said("user", render.text(wish.text))]
    yield log
    last = max((_note(message).get("turn", 0) for message in chat), default=0)
    follows = last if wish.follows is None else wish.follows
    yield [*log, _reply(assistant, replace(wish, follows=follows), last + 1, chat, article, spoken)]


def _reply(assistant: Assistant, wish: Wish, number: int, chat: Sequence[Message], article: str | None, spoken: Voice) -> Message:
    """Return the answer to a question asked after the turn ``wish.follows`` of a log, or why there is none."""
    follows = wish.follows or 0
    note = {"turn": number, "follows": follows, "without": list(wish.without)}
    if len(wish.text) > MAX_QUESTION:
        return _said("assistant", render.failure(spoken.say("trouble.too-long", limit=f"{MAX_QUESTION:,}"), spoken), note)
    try:
        answer = assistant.ask(wish.text, turns(_until(chat, follows)), article, spoken.reader, wish.without)
    except UnsupportedClaimError:
        return _said("assistant", render.failure(spoken.say("trouble.defect"), spoken), note)
    except AssistantError as error:
        return _said("assistant", render.failure(str(error), spoken, "en"), note)
    documents = assistant.retriever.documents
    return _said(
        "assistant", render.answer(answer, number, wish.without, spoken, documents, follows), {**note, **_carried(answer)}
    )


def _said(role: str, content: str, note: Mapping[str, Any] | None = None) -> Message:
    return {"role": role, "content": content, "metadata": {"id": json.dumps(note or {})}}


def _carried(answer: Answer) -> dict[str, Any]:
    """Return what the browser carries back of an answer: what the next question leans on, and what an export names."""
    supports = [*(s for claim in answer.claims for s in claim.support), *answer.nearest]
    return {
        "interpreted": answer.query.text,
        "passages": list(dict.fromkeys(support.passage.id for support in supports)),
        "suggestions": list(answer.suggestions),
        "cited": list(dict.fromkeys(citation.document for citation in answer.citations)),
        "sha256": str(dict(answer.receipt).get("answer_sha256", "")),
    }


# The log that the browser sends


def turns(chat: Sequence[Message]) -> list[Turn]:
    """Rebuild the past exchanges from a log that the browser sent: what cannot be read is left out."""
    return [
        Turn(
            asked[:MAX_QUESTION],
            interpreted if isinstance(interpreted := note.get("interpreted"), str) else "",
            _strings(note.get("passages")),
            _strings(note.get("suggestions")),
        )
        for asked, note in _exchanges(chat)
    ]


def _exchanges(chat: Sequence[Message]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the words of each question and what its answer carries."""
    for place, message in enumerate(chat):
        if message.get("role") == "user" and (words := _words(message)):
            yield words, _note(chat[place + 1]) if place + 1 < len(chat) else {}


def _until(chat: Sequence[Message], turn: int) -> Sequence[Message]:
    """Return the log up to the answer of a turn."""
    return chat[: max((place + 1 for place, message in enumerate(chat) if 0 < _note(message).get("turn", 0) <= turn), default=0)]


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
    if not all(type(note.get(key, 0)) is int and 0 <= note.get(key, 0) < MAX_LOG for key in ("turn", "follows")):
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


def _trimmed(chat: Sequence[Message], spoken: Voice) -> list[Message]:
    """Drop the oldest messages of a log that has grown too long, and say so in its place."""
    sizes = [len(json.dumps(message, default=str)) for message in chat]
    over = sum(sizes) - MAX_LOG
    dropped = accumulate(sizes, initial=0)
    first = next(count for count, size in enumerate(dropped) if size >= over)
    while first and first < len(chat) and chat[first].get("role") != "user":
        first += 1
    return [_said("assistant", render.remark(spoken.say("trouble.dropped"))), *chat[first:]] if first else list(chat)


# Orders of page.js


def wish(order: str, chat: Sequence[Message]) -> Wish:
    """Read a command of ``page.js``: ``{"ask": words}``, or ``{"turn": n, "without": [terms]}`` to ask a question again."""
    wanted = _object(order)
    if isinstance(wanted.get("ask"), str):
        return Wish(wanted["ask"])
    for place, message in enumerate(chat):
        if place and "turn" in wanted and _note(message).get("turn") == wanted["turn"]:
            return Wish(_words(chat[place - 1]), _strings(wanted.get("without")), _note(message).get("follows", 0))
    return Wish("")


def again(assistant: Assistant, chat: Sequence[Message], spoken: Voice, article: str | None) -> list[Message]:
    """Tell a conversation to another kind of reader: its last answers are made again from their questions."""
    told = []
    for place, message in enumerate(chat):
        note = _note(message)
        if note.get("turn") and place and place >= len(chat) - 2 * MAX_REPLAY:
            past = Wish(_words(chat[place - 1]), _strings(note.get("without")), note.get("follows", 0))
            told.append(_reply(assistant, past, note["turn"], chat, article, spoken))
        elif place == 0 and message.get("role") == "assistant" and "greeting" in str(message.get("content")):
            told.append(_greeting(assistant, article, spoken))
        else:
            told.append(message)
    return told


def replayed(assistant: Assistant, link: Any, language: str, *, named: bool = False) -> list[Any]:
    """Return log, article, reader and article id of a shared link: its questions are asked again, nothing in it is trusted.

    ``link`` is ``{"article", "reader", "corpus", "asked": [{"q", "without", "follows"}]}``.
    """
    wanted = link if isinstance(link, dict) else {}
    said = {key: str(wanted.get(key, "")) for key in ("article", "reader", "corpus")}
    pane, who, about, chat = opened(assistant, {**said, "lang": language}, named=named)
    spoken = _voice(assistant, language, who)
    if about != said["article"]:
        chat.append(_said("assistant", render.remark(spoken.say("trouble.gone"))))
    if not assistant.retriever.corpus_hash.startswith(said["corpus"]):
        chat.append(_said("assistant", render.remark(spoken.say("trouble.changed"))))
    asked = wanted.get("asked")
    for entry in asked[:MAX_REPLAY] if isinstance(asked, list) else ():
        chat = list(exchange(assistant, _linked(entry), chat, spoken.reader, about or None, language))[-1]
    return [chat, pane, who, about]


def _linked(entry: Any) -> Wish:
    row = entry if isinstance(entry, dict) else {}
    follows = row.get("follows")
    return Wish(str(row.get("q", "")), _strings(row.get("without")), follows if type(follows) is int else None)


def exported_as(assistant: Assistant, order: Mapping[str, Any], chat: Sequence[Message], article: str | None) -> str:
    """Return the article and the works cited in a conversation as ``{"export": "ris" | "bibtex"}``, in a tag for ``page.js``.

    ``sent`` of the order makes two equal exports different, or the second would be no change of the page.
    """
    documents = assistant.retriever.documents
    receipts: dict[str, str] = {article: ""} if article else {}
    for _, note in _exchanges(chat):
        for name in _strings(note.get("cited")):
            receipts[name] = f"{receipts.get(name, '')} {str(note.get('sha256', ''))[:64]}".strip()
    cited = [documents[name] for name in receipts if name in documents]
    form, write = ("bib", export.bibtex) if order["export"] == "bibtex" else ("ris", export.ris)
    disclaimer = MODEL_DISCLAIMER if assistant.writer.model else DISCLAIMER
    return render.element("div", render.text(write(cited, receipts, disclaimer)), class_=form, title=str(order.get("sent", "")))
