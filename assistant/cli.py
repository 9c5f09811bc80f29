"""followup ask | chat | serve | index | corpus | feedback | eval | verify | llm: the program from a terminal."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: one thread a question

import typer

from assistant import __version__
from assistant.errors import AssistantError, BadInputError, LanguageModelError
from assistant.settings import LIMIT, SITE_LIMIT, Settings, bundled, origin_of

if TYPE_CHECKING:
    from assistant.pipeline import Assistant
    from assistant.records import Answer, Turn
    from assistant.store import Feedback

EXIT_DECLINED = 3
EXIT_DIFFERS = 3
app = typer.Typer(
    name="followup",
    help="Answer follow-up questions under a medical article, only from the article and its references: quoted, cited, checked.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
corpus_app = typer.Typer(help="List, check and add articles and references.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(corpus_app, name="corpus")
feedback_app = typer.Typer(help="Read the feedback that readers chose to send.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(feedback_app, name="feedback")
llm_app = typer.Typer(help="Try the language model that may word answers.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(llm_app, name="llm")

CorpusOption = Annotated[Path | None, typer.Option("--corpus", metavar="DIR", help="Corpus folder [default: the bundled one].")]
ArticleOption = Annotated[
    str | None, typer.Option("--article", metavar="ID", help="Article the reader is on [default: the whole corpus].")
]
WriterOption = Annotated[
    str | None,
    typer.Option("--writer", metavar="W", help="extractive, or llm: a language model [default: FOLLOWUP_WRITER or extractive]."),
]
ReaderOption = Annotated[str, typer.Option("--reader", help="clinician, patient or researcher.")]
FeedbackOption = Annotated[
    Path | None,
    typer.Option(
        "--feedback", metavar="FILE", envvar="FOLLOWUP_FEEDBACK", help="SQLite file of feedback [default: none is kept]."
    ),
]


def say(text: str) -> None:
    """Print a diagnostic on stderr."""
    print(text, file=sys.stderr)


def _settings(corpus: Path | None, writer: str | None = None) -> Settings:
    settings = Settings() if corpus is None else Settings(corpus=corpus)
    return settings if writer is None else replace(settings, writer=writer)


def _open(corpus: Path | None, writer: str | None = "extractive", *, rebuild: bool = False) -> Assistant:
    from assistant.pipeline import open_assistant

    with _progress() as step:
        return open_assistant(_settings(corpus, writer), rebuild=rebuild, progress=step, say=say)


class _progress:  # noqa: N801 - reads as `with _progress() as step`
    """A progress bar on stderr that appears only when there are steps."""

    def __init__(self, what: str = "Indexing documents") -> None:
        self._what = what

    def __enter__(self) -> Callable[[int, int], None]:
        self._bar: Any = None
        return self._step

    def _step(self, done: int, total: int) -> None:
        from rich.console import Console
        from rich.progress import Progress

        if self._bar is None:
            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=total)
        self._bar.update(self._task, completed=done)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _reader(name: str) -> Any:
    from assistant.records import Reader

    if name not in list(Reader):
        raise typer.BadParameter(f"{name!r} is not a reader; choose one of {', '.join(Reader)}.", param_hint="--reader")
    return Reader(name)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question, in quotes.")],
    corpus: CorpusOption = None,
    article: ArticleOption = None,
    reader: ReaderOption = "clinician",
    history: Annotated[
        Path | None,
        typer.Option(
            "--history", metavar="FILE", help="Earlier turns: a JSON list of questions, or of objects that --json printed."
        ),
    ] = None,
    without: Annotated[list[str] | None, typer.Option("--without", help="Inherited term to leave out; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    writer: WriterOption = None,
) -> None:
    """Answer one question. Exit 0: answered or closest; 3: declined; 1: error; 2: usage."""
    level = _reader(reader)
    turns = read_history(history) if history else []
    answer = _open(corpus, writer).ask(question, turns, article, level, without or ())
    _print(answer, as_json=as_json)
    raise typer.Exit(EXIT_DECLINED if answer.reason else 0)


def read_history(path: Path) -> list[Turn]:
    """Return the earlier turns of a file.

    Raises:
        BadInputError: the file is missing, is not JSON, or holds something else than questions or answers.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise BadInputError(f"The history {path} cannot be read: {problem.strerror}.") from problem
    except (ValueError, RecursionError) as problem:
        raise BadInputError(
            f"The history {path} is not JSON ({problem}). Give a list of questions, or of answers printed by --json."
        ) from problem
    if not isinstance(rows, list):
        raise BadInputError(f"The history {path} must be a JSON list of questions or answers.")
    return [turn_from(row, f"{path}, entry {n}") for n, row in enumerate(rows, start=1)]


def turn_from(row: object, where: str) -> Turn:
    """Return the turn of a question (str) or of an answer object as ``--json`` prints it."""
    from assistant.records import Turn

    if isinstance(row, str):
        return Turn(row)
    if isinstance(row, dict) and isinstance(row.get("asked"), str):
        lists = [row.get(name, []) for name in ("passages", "suggestions")]
        if isinstance(row.get("interpreted", ""), str) and all(
            isinstance(x, list) and all(isinstance(s, str) for s in x) for x in lists
        ):
            return Turn(row["asked"], row.get("interpreted", ""), tuple(lists[0]), tuple(lists[1]))
    raise BadInputError(f'{where}: neither a question nor an answer object with "asked".')


@app.command()
def chat(
    corpus: CorpusOption = None, article: ArticleOption = None, reader: ReaderOption = "clinician", writer: WriterOption = None
) -> None:
    """Ask in a conversation; an empty line or Ctrl-D ends it."""
    from assistant.answers import turn_of

    level = _reader(reader)
    assistant = _open(corpus, writer)
    article = article or (assistant.articles[0].id if len(assistant.articles) == 1 else None)
    assistant.retriever.scope(article)
    if article:
        say(f"Article: {assistant.retriever.documents[article].title}. An automated assistant; an empty line ends.")
    for text in assistant.suggest(article):
        say(f"  Try: {text}")
    turns: list[Turn] = []
    while asked := _line():
        try:
            answer = assistant.ask(asked, turns, article, level)
        except BadInputError as problem:
            say(f"followup: {problem}")
            continue
        _print(answer, as_json=False)
        turns.append(turn_of(answer))


def _line() -> str:
    if sys.stdin.isatty():
        print("> ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


@app.command()
def serve(
    corpus: CorpusOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 7860,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-origin",
            metavar="URL",
            help="Site whose pages may frame the chat and call the JSON API, as https://www.example.org; may be repeated "
            "[default: those in FOLLOWUP_ORIGINS, else none].",
        ),
    ] = None,
    feedback: FeedbackOption = None,
    limit: Annotated[int, typer.Option(min=0, help="Questions a minute from one address; 0: no limit.")] = LIMIT,
    site_limit: Annotated[int, typer.Option(min=0, help="Questions a minute from all; 0: no limit.")] = SITE_LIMIT,
    log: Annotated[bool, typer.Option("--log", help="Write one JSON object a request on stderr: never a question.")] = False,
    writer: WriterOption = None,
) -> None:
    """Serve the reader's page, the JSON API, and the widget for other sites (/widget.js, /embed/).

    Behind a proxy, name its addresses or networks in FOLLOWUP_TRUSTED_PROXIES: else all readers count as one address.
    """
    settings = replace(_settings(corpus), feedback=feedback, limit=limit, site_limit=site_limit, log=log)
    if allow_origin:
        settings = replace(settings, origins=tuple(origin_of(address) for address in allow_origin))
    from assistant.web.app import serve as run

    run(lambda: _open(corpus, writer), host, port, settings, say)


@app.command()
def index(
    corpus: CorpusOption = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build anew even if the index is fresh.")] = False,
) -> None:
    """Build the index of a corpus, or check that it is whole and fresh."""
    assistant = _open(corpus, rebuild=rebuild)
    count = len(assistant.articles)
    references = len(assistant.retriever.documents) - count
    made_of = f"corpus {assistant.retriever.corpus_hash[:12]}; encoder {assistant.encoder.name}"
    print(f"{count} articles, {references} references; {made_of}")


@corpus_app.command("list")
def list_corpus(corpus: CorpusOption = None) -> None:
    """List the articles with status, references and passages."""
    from assistant.corpus import listing, load

    loaded = load(_settings(corpus).corpus)
    for row in listing(loaded):
        print(f"{row.id}\t{row.status}\t{row.references} references\t{row.passages} passages\t{row.question}")
    errors = sum(finding.grade == "error" for finding in loaded.findings)
    if errors:
        say(f"{errors} errors: see `followup corpus check`.")


@corpus_app.command()
def check(corpus: CorpusOption = None) -> None:
    """Check every rule of the corpus format; exit 1 on an error."""
    from assistant.corpus.check import check as run

    findings = run(_settings(corpus).corpus)
    for finding in findings:
        print(f"{finding.file}:{finding.line}: {finding.grade}: {finding.text} [{finding.rule}]")
    errors = sum(finding.grade == "error" for finding in findings)
    print(f"{errors} errors, {len(findings) - errors} other findings")
    raise typer.Exit(1 if errors else 0)


@corpus_app.command()
def audit(
    article: Annotated[str | None, typer.Argument(metavar="ARTICLE", help="Id of one article [default: all].")] = None,
    corpus: CorpusOption = None,
    csv_out: Annotated[Path | None, typer.Option("--csv", metavar="OUT", help="Write a row for each finding.")] = None,
    html_out: Annotated[Path | None, typer.Option("--html", metavar="OUT", help="Write a page that shows each line.")] = None,
    json_out: Annotated[Path | None, typer.Option("--json", metavar="OUT", help="Write everything as JSON.")] = None,
) -> None:
    """Hold each line of an article against its references; exit 1 on an error.

    An error is a cited work that was retracted or is of concern, or a line that says otherwise than the work it cites. Warnings
    (uncited, only the publisher's own word, figures or terms not in the cited text, contradicted, newer evidence) and notes do
    not change the exit code.
    """
    from assistant.audit import audit as run
    from assistant.audit.report import as_csv, as_html, as_json, as_text
    from assistant.corpus import load

    _check_writable(csv_out, html_out, json_out)
    documents = load(_settings(corpus).corpus).documents
    names = [article] if article else [name for name, document in documents.items() if document.page is not None]
    audits = [run(name, documents) for name in names]
    print(as_text(audits))
    for path, form in ((csv_out, as_csv), (html_out, as_html), (json_out, as_json)):
        if path is not None:
            _write(path, form(audits))
    raise typer.Exit(1 if any(found.errors for found in audits) else 0)


@corpus_app.command()
def add(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files: page text, HTML, Markdown, PubMed XML, NBIB, RIS, BibTeX, JATS.")
    ] = None,
    corpus: Annotated[Path, typer.Option("--corpus", metavar="DIR", help="Corpus folder to add to; made if missing.")] = Path(
        "corpus"
    ),
    pmid: Annotated[list[str] | None, typer.Option("--pmid", help="PubMed id to fetch online; may be repeated.")] = None,
    email: Annotated[str | None, typer.Option(envvar="FOLLOWUP_EMAIL", help="Your address, which NCBI asks for.")] = None,
    api_key: Annotated[str | None, typer.Option(envvar="NCBI_API_KEY", help="NCBI key, for ten requests a second.")] = None,
    keep_verbatim: Annotated[
        bool, typer.Option("--keep-verbatim", help="Keep abstracts as they are: you state that you may show them.")
    ] = False,
) -> None:
    """Turn pages and records into corpus files; print what could not be filled in."""
    from assistant.corpus.add import add as run

    if not paths and not pmid:
        raise typer.BadParameter("name at least one file, or a --pmid.", param_hint="PATH")
    report = run(paths or [], corpus, keep_verbatim=keep_verbatim, pmids=pmid or [], email=email, api_key=api_key)
    _print_report(report)
    raise typer.Exit(1 if report.problems else 0)


def _print_report(report: Any) -> None:
    for title, rows in (("wrote", report.written), ("updated", report.updated)):
        for row in rows:
            print(f"{title} {row}")
    for title, rows in (
        ("skipped", report.skipped),
        ("blank", report.blanks),
        ("converted", report.conversions),
        ("problem", report.problems),
    ):
        for row in rows:
            say(f"{title}: {row}")


@feedback_app.command()
def export(feedback: FeedbackOption = None) -> None:
    """Print all feedback as CSV; cells that a spreadsheet would take for formulas begin with an apostrophe."""
    import csv

    from assistant.store import COLUMNS, cell

    rows = _feedback(feedback)
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([cell(getattr(row, column)) for column in COLUMNS] for row in rows)


@feedback_app.command("gaps")
def list_gaps(feedback: FeedbackOption = None) -> None:
    """Print the questions that readers chose to send and that were not answered, by article, most frequent first."""
    from itertools import groupby

    from assistant.store import gaps

    for article, found in groupby(gaps(_feedback(feedback)), key=lambda gap: gap.article):
        print(article or "(no article)")
        for gap in found:
            print(f"{gap.count:5}  {gap.question}")


def _feedback(path: Path | None) -> list[Feedback]:
    from assistant.store import Store

    if path is None:
        raise typer.BadParameter("name the file, here or in FOLLOWUP_FEEDBACK.", param_hint="--feedback")
    return Store(path).rows()


@llm_app.command("check")
def check_language_model() -> None:
    """Ask the language model about an invented medicine; exit 1 when nothing it sends can be used.

    FOLLOWUP_LLM_URL, FOLLOWUP_LLM_MODEL and, where the service wants one, FOLLOWUP_LLM_KEY say which.
    """
    from assistant.pipeline import language_model

    started = time.monotonic()
    model = language_model()
    try:
        came, passed = model.trial()
    except LanguageModelError as problem:
        raise LanguageModelError(f"the language model cannot be used: {problem}. See docs/language-model.md.") from problem
    finally:
        model.close()
    print(f"{model.model} replied in {time.monotonic() - started:.1f} s; {passed} of {came} sentences passed the checks.")
    raise typer.Exit(0 if passed else 1)


@app.command("eval")
def evaluate(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Eval set, JSON Lines [default: the one of the bundled articles].")
    ] = None,
    corpus: CorpusOption = None,
    split: Annotated[str | None, typer.Option("--split", help="Hold only the conversations of this split: tune or test.")] = None,
    json_out: Annotated[Path | None, typer.Option("--json", metavar="OUT", help="Write the report as JSON.")] = None,
    html_out: Annotated[
        Path | None, typer.Option("--html", metavar="OUT", help="Write the report as a page, with each failed turn.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--compare", metavar="OLD.json", help="Earlier report: print differences and what flipped.")
    ] = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-under",
            metavar="METRIC=VALUE",
            help="Exit 1 when a metric is below this (wrong_answers, false_refusals, latencies: above it); may be repeated.",
        ),
    ] = None,
    writer: WriterOption = None,
) -> None:
    """Hold a set of conversations and say how good the answers are, with 95 % intervals.

    Exit 0: done; 1: a --fail-under is not met, or an error; 2: usage.
    """
    from assistant.evaluation.compare import compare, load_report
    from assistant.evaluation.report import as_html, as_text, unmet

    limits = [_limit(text) for text in fail_under or []]
    _check_writable(json_out, html_out)
    old = load_report(against) if against else None
    report = _report(file or bundled("eval") / "followups.jsonl", _settings(corpus, writer), _split(split))
    difference = compare(old, report) if old else None
    print(as_text(report, difference))
    if json_out:
        _write(json_out, json.dumps(report, ensure_ascii=False, indent=1) + "\n")
    if html_out:
        _write(html_out, as_html(report, difference))
    failed = unmet(report, limits)
    for text in failed:
        say(f"followup: {text}")
    raise typer.Exit(1 if failed else 0)


def _report(path: Path, settings: Settings, split: str | None) -> dict[str, Any]:
    from assistant.corpus import load
    from assistant.evaluation import run
    from assistant.evaluation.again import second_process
    from assistant.evaluation.cases import read_set

    cases = read_set(path, load(settings.corpus).documents, split)  # before an index is built: its faults should not wait
    assistant = _open(settings.corpus, settings.writer)
    with _progress("Holding conversations") as step:
        return run(cases, assistant, lambda sample: second_process(settings, path, sample), step)


def _split(name: str | None) -> str | None:
    from assistant.evaluation.cases import SPLITS

    if name not in (None, *SPLITS):
        raise typer.BadParameter(f"{name!r} is not a split; choose one of {', '.join(SPLITS)}.", param_hint="--split")
    return name


def _check_writable(*paths: Path | None) -> None:
    for path in paths:
        if path is not None and (path.is_dir() or not path.parent.is_dir()):
            raise typer.BadParameter(
                f"{path} cannot be written; name a file in a folder that exists.", param_hint="--csv, --json, --html"
            )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise BadInputError(f"{path} cannot be written: {problem.strerror}.") from problem


def _limit(text: str) -> tuple[str, float]:
    from assistant.evaluation.metrics import METRICS

    metric, _, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if metric not in METRICS or math.isnan(value):
        known = ", ".join(METRICS)
        raise typer.BadParameter(f"{text!r} is not METRIC=NUMBER; the metrics are {known}.", param_hint="--fail-under")
    return metric, value


@app.command()
def verify(
    file: Annotated[
        Path, typer.Argument(metavar="RECEIPT.json", help="What ask --json printed, or only its receipt; - reads stdin.")
    ],
    corpus: CorpusOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make an answer again from its receipt and say what changed. Exit 0: the same answer; 3: it differs; 1: error; 2: usage."""
    from assistant.pipeline import open_assistant
    from assistant.replay import as_text, read_receipt, replay, source_text

    text = sys.stdin.read() if str(file) == "-" else source_text(file)
    receipt, answer = read_receipt(text, "stdin" if str(file) == "-" else str(file))
    settings = replace(_settings(corpus), locale=receipt.locale)
    with _progress() as step:
        found = replay(receipt, answer, open_assistant(settings, progress=step, say=say))
    print(json.dumps(asdict(found), ensure_ascii=False, indent=2) if as_json else as_text(found))
    raise typer.Exit(0 if found.same else EXIT_DIFFERS)


def _print(answer: Answer, *, as_json: bool) -> None:
    from assistant.answers import as_dict
    from assistant.terminal import render

    print(json.dumps(as_dict(answer), ensure_ascii=False, indent=2) if as_json else render(answer))


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"followup {__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program; what a user can mend is one line on stderr and exit 1."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        app(args=list(arguments) if arguments is not None else None)
    except AssistantError as problem:
        say(f"followup: {problem}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
