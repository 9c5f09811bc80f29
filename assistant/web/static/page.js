// Citations that open and light up their sentence, orders to the server, names for what Gradio leaves nameless,
// and what a reader takes along: a copy, a link, a file. Nothing is kept in the browser.
(() => {
  "use strict";

  const small = matchMedia("screen and (max-width: 820px), screen and (max-height: 480px)");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const find = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const behavior = () => (calm.matches ? "auto" : "smooth");
  const box = () => find("#question textarea");

  // Compare first: an observer that writes what it observes would never rest.
  const name = (node, attribute, value) => {
    if (node && node.getAttribute(attribute) !== value) node.setAttribute(attribute, value);
  };

  const plain = (node) => {
    const copy = node.cloneNode(true);
    all("br", copy).forEach((end) => end.replaceWith("\n"));
    return copy.textContent;
  };

  const make = (tag, className, text = "") => {
    const node = document.createElement(tag);
    node.className = className;
    node.textContent = text;
    if (tag === "button") node.type = "button";
    return node;
  };

  // What the page says comes with the page, in the reader's language.

  let words = null;
  const say = (key, values = {}) =>
    Object.entries(values).reduce((text, [place, value]) => text.replaceAll(`{${place}}`, value), words?.[key] ?? "");

  const learn = () => {
    const written = find("#words p");
    if (!written || written === learn.from) return;
    learn.from = written;
    words = JSON.parse(plain(written));
    document.documentElement.lang = words.lang;
    document.title = words.title;
  };

  // The article

  const span = (id) => (/^s-(\d+)-(\d+)$/.exec(id) || []).slice(1).map(Number);

  const sentence = (id) => {
    const exact = document.getElementById(id);
    const [start, end] = span(id);
    return exact || all(".article .sentence").find((node) => {
      const [from, to] = span(node.id);
      return from < end && start < to;
    });
  };

  const light = (node) => {
    all(".article .lit").forEach((other) => other.classList.remove("lit"));
    if (node) node.classList.add("lit");
  };

  const visit = (id, { open, focus }) => {
    const node = id.startsWith("s-") ? sentence(id) : document.getElementById(id);
    if (!node) return;
    light(node);
    const fold = node.closest(".fold");
    if (open && fold) fold.open = true;
    if (!fold || fold.open) node.scrollIntoView({ block: "center", behavior: behavior() });
    if (focus) node.focus({ preventScroll: true });
  };

  const foldWhenSmall = () => {
    const fold = find(".fold");
    if (fold) fold.open = !small.matches;
  };

  // Citations

  let from = null; // where Escape leads back to

  const openSource = (mark) => {
    const source = document.getElementById(mark.getAttribute("href").slice(1));
    if (!source) return;
    from = mark;
    source.open = true;
    all("#log .mark.lit").forEach((other) => other.classList.remove("lit"));
    mark.classList.add("lit");
    find("summary", source).focus({ preventScroll: true });
    source.scrollIntoView({ block: "nearest", behavior: behavior() });
    const jump = find('.jump[href^="#s-"]', source);
    if (jump) visit(jump.getAttribute("href").slice(1), { open: false, focus: false });
  };

  const goBack = () => {
    const inside = document.activeElement.closest("details[open]");
    const article = inside?.matches(".fold") ? inside : null;
    const marked = from?.matches(".mark") ? document.getElementById(from.getAttribute("href").slice(1)) : null;
    light(null);
    if (article && !small.matches) return from?.focus();
    const opened = inside ?? (marked?.open ? marked : null);
    if (!opened) return;
    opened.open = false;
    (opened === marked || opened === article ? from ?? box() : find("summary", opened))?.focus();
    if (opened === marked) from.classList.remove("lit");
  };

  // Orders to the server

  let sent = 0; // makes two equal orders different, or the second would be no change
  const command = (wish) => {
    const field = find("#command textarea");
    if (!field) return;
    sent += 1;
    field.value = JSON.stringify({ ...wish, sent });
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  const withoutTerm = (button) => {
    const answer = button.closest(".answer");
    waitFor(question(answer));
    command({ turn: turn(answer), without: [...leftOut(answer), button.title] });
  };

  // Waiting, and what goes wrong

  const state = make("p", "state");
  state.id = "state";
  state.setAttribute("role", "status");
  let asked = "";
  let timers = [];

  let fading = 0;

  const tell = (text, kind = "") => {
    clearTimeout(fading);
    state.textContent = text;
    state.dataset.kind = kind;
    if (kind === "done") fading = setTimeout(() => tell(""), 8000);
  };

  // A question and a change of reader both write the conversation: while one is under way, the other waits.
  const hold = (parts, held) => parts.forEach((part) => {
    if (find(part)) find(part).inert = held;
  });
  const ASKING = ["#ask", "#log"];

  const rest = () => {
    hold([...ASKING, "#reader"], false);
    timers.forEach(clearTimeout);
    timers = [];
    asked = "";
  };

  const waitFor = (text) => {
    if (!text.trim()) return;
    rest();
    tell("");
    asked = text;
    hold(["#reader"], true);
    timers = [setTimeout(() => tell(say("searching")), 400), setTimeout(() => tell(say("slow")), 4000)];
  };

  const askFor = (text) => {
    waitFor(text);
    command({ ask: text });
  };

  const trouble = (kind) => {
    if (!words && find("#unopened")) {
      find("#loading")?.remove();
      find("#unopened").hidden = false;
    }
    const kept = asked;
    running = 0;
    rest();
    tell(say(kind), "trouble");
    if (kept) document.dispatchEvent(new CustomEvent("followup:trouble")); // embed.js tells the page around
    const field = box();
    if (!field || !kept || field.value.trim()) return;
    field.value = kept;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  // Gradio takes a lost connection for the end: it would reload the page, and the conversation would be gone. So it only ever
  // hears of a failed call, and can ask again.
  const FAILED = { msg: "unexpected_error", message: "", success: false };
  const failed = () => new TextEncoder().encode(`data: ${JSON.stringify(FAILED)}\n\n`);
  const call = window.fetch.bind(window);

  const lost = (error) => {
    if (error.name === "AbortError") throw error;
    trouble("offline");
  };

  let running = 0; // calls that are under way
  const heard = (line) => {
    if (!line.includes('"msg":"process_completed"')) return;
    running = Math.max(0, running - 1);
    if (line.includes('"success":false')) trouble("broken");
    setTimeout(() => running || hold(ASKING, false), 50); // by then the answer is in the page, or the next call has begun
  };

  const pump = async (source, into) => {
    const decoder = new TextDecoder();
    let open = "";
    try {
      for (;;) {
        const { done, value } = await source.read();
        if (done) return into.close();
        const lines = (open + decoder.decode(value, { stream: true })).split("\n");
        open = lines.pop();
        into.enqueue(value);
        lines.forEach(heard);
      }
    } catch (error) {
      if (error.name !== "AbortError") trouble("offline");
      into.enqueue(failed());
      return into.close();
    }
  };

  const answered = async (resource, options) => {
    try {
      return await call(resource, options);
    } catch (error) {
      lost(error);
      return null;
    }
  };

  const joined = async (resource, options) => {
    running += 1;
    const response = await answered(resource, options);
    if (!response) return Response.json({ detail: "" }, { status: 503 });
    if (!response.ok) trouble({ 413: "large", 429: "busy", 503: "busy" }[response.status] ?? "broken");
    return response;
  };

  const streamed = async (resource, options) => {
    const response = await answered(resource, options);
    const body = response?.body
      ? new ReadableStream({ start: (into) => void pump(response.body.getReader(), into) })
      : new Blob([failed()]);
    return new Response(body, { status: response?.status ?? 200, headers: { "content-type": "text/event-stream" } });
  };

  window.fetch = (resource, options) => {
    const part = (/\/queue\/(join|data)/.exec(String(resource?.url ?? resource)) || [])[1];
    return part === "join" ? joined(resource, options) : part === "data" ? streamed(resource, options) : call(resource, options);
  };

  // What an answer holds

  const turn = (answer) => Number(answer.id.replace("answer-", ""));
  const follows = (answer) => Number((/follows-(\d+)/.exec(answer.className) || [0, 0])[1]);
  const outcome = (answer) => (/answer-(answered|closest|declined)/.exec(answer.className) || [])[1];
  const leftOut = (answer) => all(".left-out", answer).map((node) => node.title);
  const answers = () => all("#log .answer[id]");
  const receipt = (answer) => (find(".receipt", answer)?.title ?? " ").split(" ");
  const article = () => find(".article")?.id.slice(6) ?? new URLSearchParams(location.search).get("article") ?? "";
  const reader = () => find("#reader input:checked")?.value ?? "clinician";

  const question = (answer) => {
    const rows = all("#log .message-row");
    const row = rows[rows.indexOf(answer.closest(".message-row")) - 1];
    return row?.matches(".user-row") ? plain(find(".message-content", row)).trim() : "";
  };

  const line = (node) => {
    const copy = node.cloneNode(true);
    all(".glosses", copy).forEach((part) => part.remove());
    all(".flag, .by-editors, .by-model", copy).forEach((label) => label.append(": "));
    all(".mark", copy).forEach((mark) => mark.replaceWith(` [${mark.textContent}]`));
    return plain(copy).trim();
  };

  const claim = (row) => ({ kind: find(".by-model", row) ? "text" : "quote", text: line(row.firstElementChild) });

  const blocks = (answer) => [...answer.children].flatMap((part) => {
    if (part.matches(".notice")) {
      const label = find("strong", part).textContent;
      return all(":scope > p", part).map((said) => ({ kind: "notice", label, text: line(said) }));
    }
    if (part.matches(".claims")) return [...part.children].map(claim);
    if (part.matches(".read-as")) return [{ kind: "text", text: line(part.firstElementChild) }];
    return part.matches("h3, p:not(.receipt)") ? [{ kind: "text", text: line(part) }] : [];
  });

  const sources = (answer) => all(".source", answer).map((source) => {
    const head = [".badge", ".source-title", ".source-place"].map((part) => find(part, source).textContent).filter(Boolean);
    const quote = line(find(".quote, .summary-text", source));
    const links = all("a.outside", source).map((link) => link.href);
    return { n: find(".number", source).textContent, text: [head.join(". "), quote, ...links].join(" ") };
  });

  // Copy

  const title = () => find(".article h1")?.textContent ?? "";
  const signed = (answer) => {
    const [hash, corpus] = receipt(answer);
    return hash ? [`${say("receipt")} ${hash}`, `${say("collection")} ${corpus}`] : [];
  };

  const asText = (answer) => [
    question(answer),
    "",
    ...blocks(answer).flatMap((block) => [block.kind === "notice" ? `${block.label}: ${block.text}` : block.text, ""]),
    `${say("sources")}:`,
    ...sources(answer).map((source) => `[${source.n}] ${source.text}`),
    "",
    ...(title() ? [say("asked-of", { title: title() })] : []),
    ...signed(answer),
    `${say("disclaimer")}: ${words["disclaimer-text"]}`,
  ].join("\n");

  const copy = async (text, done) => {
    try {
      await navigator.clipboard.writeText(text);
      tell(say(done), "done");
    } catch {
      tell(say("not-copied"), "trouble");
    }
  };

  // Link: the questions ride in the fragment, which a browser never sends.

  const chain = (answer) => {
    const before = answers().filter((other) => turn(other) <= follows(answer));
    return before.length === follows(answer) ? [...before, answer] : null;
  };

  const link = (answer) => {
    const pairs = [["article", article()], ["reader", reader()], ["c", receipt(answer)[1].slice(0, 12)]];
    chain(answer).forEach((past, place) => {
      pairs.push(["q", question(past)]);
      if (follows(past) !== place) pairs.push(["follows", follows(past)]);
      leftOut(past).forEach((term) => pairs.push(["without", term]));
    });
    const address = new URL(location.pathname.replace(/\/embed\/$/, "/app/"), location.href);
    if (words.lang !== "en") address.search = new URLSearchParams({ lang: words.lang });
    address.hash = new URLSearchParams(pairs);
    return address.href;
  };

  // Another article keeps the reader; another language keeps the conversation too.
  const takeAlong = (anchor) => {
    const last = answers().at(-1);
    const address = new URL(anchor.href);
    address.searchParams.set("reader", reader());
    if (anchor.matches(".language") && last && chain(last)) address.hash = new URL(link(last)).hash;
    anchor.href = address.href;
  };

  const replay = () => {
    const wanted = { asked: [] };
    new URLSearchParams(location.hash.slice(1)).forEach((value, key) => {
      const last = wanted.asked.at(-1);
      if (key === "q") wanted.asked.push({ q: value, without: [] });
      else if (key === "without" && last) last.without.push(value);
      else if (key === "follows" && last) last.follows = Number(value);
      else if (key === "c") wanted.corpus = value;
      else wanted[key] = value;
    });
    if (!wanted.asked.length) return;
    waitFor(wanted.asked.at(-1).q);
    command({ replay: wanted });
  };

  // Files

  const save = (file, text) => {
    const address = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
    const anchor = make("a", "");
    anchor.href = address;
    anchor.download = file;
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
    tell(say("saved", { name: file }), "done");
  };

  const safe = (text) => text.replace(/[\\`*_{}[\]<>#|~]/g, "\\$&").replace(/\n/g, "  \n");
  const quoted = (text) => `> ${safe(text).replace(/\n/g, "\n> ")}`;

  const asMarkdown = () => [
    `# ${safe(title() || words.title)}`,
    "",
    `**${safe(say("disclaimer"))}.** ${safe(words["disclaimer-text"])}`,
    ...answers().flatMap((answer) => [
      "",
      `## ${safe(question(answer)).replace(/\s*\n/g, " ")}`,
      "",
      ...blocks(answer).flatMap((block) => [
        block.kind === "quote" ? quoted(block.text) : block.kind === "notice" ? `**${safe(block.label)}:** ${safe(block.text)}` : safe(block.text),
        "",
      ]),
      `### ${safe(say("sources"))}`,
      "",
      ...sources(answer).map((source) => `- \\[${source.n}\\] ${safe(source.text)}`),
      "",
      ...signed(answer).map((row) => `\`${row}\`  `),
    ]),
    "",
  ].join("\n");

  let taken = null;
  const collect = () => {
    const ready = find("#exported :is(.ris, .bib)");
    if (!ready || ready === taken) return;
    taken = ready;
    save(`references.${ready.className}`, plain(ready));
  };

  const openAll = () => all("#log .source, #log .glosses, .fold, #disclaimer details").forEach((part) => {
    if (!part.open) part.dataset.shut = "";
    part.open = true;
  });
  const shutAgain = () => all("[data-shut]").forEach((part) => {
    delete part.dataset.shut;
    part.open = false;
  });

  // Feedback: only where the site keeps it, only when it is sent

  let keeps = null;
  const asksForFeedback = () => {
    keeps ??= call(new URL("../api/v1/site", location.href))
      .then((response) => (response.ok ? response.json() : {}))
      .then((site) => site.feedback === true)
      .catch(() => false);
    return keeps;
  };

  const field = (tag, type, text, className) => {
    const label = make("label", className);
    const input = make(tag, "");
    input.type = type;
    label.append(...(type === "checkbox" ? [input, ` ${text}`] : [make("span", "", text), input]));
    return [label, input];
  };

  const sendFeedback = async (answer, verdict, comment, share, panel) => {
    const body = { verdict, receipt: receipt(answer)[0], outcome: outcome(answer), share_question: share };
    if (comment.trim()) body.note = comment.trim();
    if (article()) body.article = article();
    if (share) body.question = question(answer);
    try {
      const response = await call(new URL("../api/v1/feedback", location.href), {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      if (!response.ok) throw new Error(response.status);
      panel.closest("details").open = false;
      tell(say("thanks"), "done");
    } catch {
      tell(say("not-sent"), "trouble");
    }
  };

  const feedbackPanel = (answer, panel) => {
    const [line, comment] = field("input", "text", say("comment"), "comment");
    comment.maxLength = 300;
    const [share, shared] = field("input", "checkbox", say("share"), "share");
    const send = make("button", "act send", say("send"));
    const verdicts = ["helpful", "wrong", "wrong-citation", "missing"].map((verdict) => {
      const button = make("button", "act verdict", say(verdict));
      button.value = verdict;
      button.setAttribute("aria-pressed", "false");
      return button;
    });
    send.disabled = true;
    verdicts.forEach((button) => button.addEventListener("click", () => {
      verdicts.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      send.disabled = false;
      send.value = button.value;
    }));
    send.addEventListener("click", () => sendFeedback(answer, send.value, comment.value, shared.checked, panel));
    panel.append(...verdicts, line, share, make("p", "kept", say("kept")), send);
  };

  const menu = (text, className, fill) => {
    const details = make("details", `menu ${className}`);
    const panel = make("div", "panel-inside");
    details.append(make("summary", "act", text), panel);
    details.addEventListener("toggle", () => details.open && !panel.hasChildNodes() && fill(panel));
    return details;
  };

  const button = (text, action) => {
    const node = make("button", "act", text);
    node.addEventListener("click", action);
    return node;
  };

  const equip = (answer) => {
    if (find(".actions", answer) || !words) return;
    const row = make("div", "actions");
    row.append(button(say("copy"), () => copy(asText(answer), "copied")));
    if (chain(answer) && receipt(answer)[1]) row.append(button(say("link"), () => copy(link(answer), "linked")));
    row.append(menu(say("save"), "save", (panel) => panel.append(
      button(say("save-markdown"), () => save("conversation.md", asMarkdown())),
      button(say("save-ris"), () => command({ export: "ris" })),
      button(say("save-bibtex"), () => command({ export: "bibtex" })),
      button(say("print"), () => window.print()),
    )));
    asksForFeedback().then((kept) => {
      if (kept && receipt(answer)[0] && !find(".feedback", row)) {
        row.append(menu(say("feedback"), "feedback", (panel) => feedbackPanel(answer, panel)));
      }
    });
    answer.insertBefore(row, find(":scope > .chips, :scope > .receipt", answer));
  };

  // Events

  document.addEventListener("click", (event) => {
    if (event.target.closest("#ask-button") && box()) waitFor(box().value);
    const other = event.target.closest(".others a, .language");
    if (other) takeAlong(other);
    const target = event.target.closest(".mark, .jump, .refs a, .chip, .without, .skip");
    if (!target) return;
    event.preventDefault();
    if (target.matches(".mark")) openSource(target);
    else if (target.matches(".chip")) askFor(target.textContent);
    else if (target.matches(".without")) withoutTerm(target);
    else if (target.matches(".skip")) box()?.focus();
    else {
      from = target;
      visit(target.getAttribute("href").slice(1), { open: true, focus: true });
    }
  });

  document.addEventListener("followup:ask", (event) => askFor(event.detail)); // a question of the page around: embed.js

  document.addEventListener("input", (event) => {
    if (event.target.closest("#reader")) hold(ASKING, true);
  }, true);

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") goBack();
    if (event.key === "Enter" && !event.shiftKey && event.target === box()) waitFor(event.target.value);
  }, true);

  // Names and announcements

  const status = make("p", "spoken-only");
  status.setAttribute("role", "status");

  const labelled = new WeakSet();
  const label = () => {
    all("#log .message-row").forEach((row) => {
      const inside = find(".answer, .message-content", row);
      if (!inside || labelled.has(inside)) return;
      labelled.add(inside);
      const text = say(row.matches(".user-row") ? "question" : "assistant");
      name(row, "role", "group");
      name(row, "aria-label", text);
      all("[data-testid], button.message, .message", row).forEach((node) => {
        if (node.hasAttribute("aria-label")) name(node, "aria-label", text);
      });
      all(".mark", row).forEach((mark) => {
        const source = document.getElementById(mark.getAttribute("href").slice(1));
        name(mark, "title", say("source", { n: mark.textContent, title: (source && find(".source-title", source).textContent) ?? "" }));
        name(mark, "aria-label", mark.title);
      });
      all(".without", row).forEach((taking) => name(taking, "aria-label", say("without", { term: taking.title })));
      all(".chips", row).forEach((chips) => {
        name(chips, "role", "group");
        name(chips, "aria-label", find(".chips-label", chips).textContent);
      });
    });
    all('#log [role="log"]').forEach((log) => {
      name(log, "aria-live", "off");
      name(log, "aria-label", say("conversation"));
    });
  };

  let seen = 0;
  const announce = () => {
    const shown = all("#log .answer[id], #log .answer-failed");
    if (shown.length <= seen) {
      seen = shown.length;
      return;
    }
    seen = shown.length;
    const answer = shown[seen - 1];
    const count = all(".source", answer).length;
    const failed = answer.matches(".answer-failed");
    status.textContent = failed ? plain(answer) : say(count === 1 ? "ready-one" : "ready-many", { n: count });
    rest();
    tell("");
    const row = find(".notice-emergency", answer) ?? all("#log .user-row").pop() ?? answer;
    row.scrollIntoView({ block: "start", behavior: behavior() });
  };

  let fold = null;
  let replayed = false;
  const settle = () => {
    learn();
    if (words) {
      label();
      answers().forEach(equip);
      announce();
      collect();
    }
    if (find(".fold") !== fold) {
      fold = find(".fold");
      foldWhenSmall();
    }
    if (!state.isConnected && find("#ask")) find("#ask").before(state);
    if (!status.isConnected && find("#page")) find("#page").append(status);
    if (words && !replayed && find("#log .greeting")) {
      replayed = true;
      replay();
    }
  };

  const paper = make("link", "");
  paper.rel = "stylesheet";
  paper.media = "print";
  paper.href = new URL("print.css", document.currentScript?.src ?? new URL("../static/", location.href));
  document.head.append(paper);

  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      settle();
    });
  }).observe(document.body, { childList: true, subtree: true });
  small.addEventListener("change", foldWhenSmall);
  addEventListener("hashchange", replay);
  addEventListener("beforeprint", openAll);
  addEventListener("afterprint", shutAgain);
  settle();
})();
