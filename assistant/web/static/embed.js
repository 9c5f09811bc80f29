// The frame's side of the widget: tells the page around it what happens here, never what a reader wrote, and does what it asks.
(() => {
  "use strict";

  const find = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const wanted = new URLSearchParams(location.search);

  // The page around: only one that the server lists, and only its own window.

  const origin = (address) => (URL.canParse(address ?? "") ? new URL(address).origin : "");
  const listed = [location.origin, ...find('meta[name="followup-origins"]').content.split(" ")];
  const host = parent === window ? undefined
    : [document.referrer, wanted.get("origin")].map(origin).find((known) => known && listed.includes(known));

  const tell = (kind, detail = {}) => {
    if (host) parent.postMessage({ followup: kind, ...detail }, host);
  };

  // Light and dark

  const dark = matchMedia("(prefers-color-scheme: dark)");
  let theme = wanted.get("theme");
  const paint = () => {
    const night = theme === "dark" || (theme !== "light" && dark.matches);
    document.body.classList.toggle("dark", night);
    document.documentElement.style.colorScheme = night ? "dark" : "light";
  };
  dark.addEventListener("change", paint);

  // What the page around asks: one question after the other, because a second one would be lost while the first is answered

  const questions = [];
  let byHost = null;

  const ask = () => {
    const part = find("#ask");
    if (!part || part.inert || !find("#ask-button:enabled") || pending() || byHost !== null || !questions.length) return;
    byHost = questions.shift();
    document.dispatchEvent(new CustomEvent("followup:ask", { detail: byHost })); // page.js asks, as for a reader
  };

  const NOTES = {
    en: ["Marked in the article on this page.", "This page does not show the sentence; it is quoted here."],
    es: ["Marcado en el artículo de esta página.", "Esta página no muestra la frase; se cita aquí."],
  };
  const shown = (found) => {
    const [marked, missing] = NOTES[wanted.get("lang")?.slice(0, 2)] ?? NOTES.en;
    note.textContent = found ? marked : missing;
  };

  const orders = {
    hello: () => document.documentElement.classList.add("hosted"),
    focus: () => find("#question textarea")?.focus(),
    theme: (order) => {
      theme = order.theme;
      paint();
    },
    ask: ({ text }) => {
      if (typeof text !== "string" || !text.trim() || find(".unknown-article")) return;
      questions.push(text);
      ask();
    },
    shown: ({ found }) => shown(found === true),
  };

  addEventListener("message", ({ source, origin: from, data }) => {
    if (!host || source !== parent || from !== host) return;
    if (Object.hasOwn(orders, Object(data).followup)) orders[data.followup](data);
  });

  // Before the page's own Escape, which closes an opened source and leaves it.
  addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && !document.activeElement.closest("details[open]")) tell("close");
  }, true);

  // What happens in the conversation

  const note = document.createElement("p");
  note.className = "host-note";
  note.setAttribute("role", "status");

  const last = () => all("#log .message-row").pop();
  const pending = () => Boolean(last()?.matches(".user-row")) && last() !== unanswered;

  let open = false;
  let asked = false;
  let told = ""; // id of the last answer the host heard of
  let unanswered = null; // the question that got no answer, where it is shown

  const bare = (text) => (text ?? "").replace(/\s+/g, "");
  const by = () => (byHost === null ? { by: "reader" } : { by: "host", question: byHost });

  const question = () => {
    const words = bare(all("#log .user-row .message-content").pop()?.textContent);
    if (asked || !words) return;
    asked = true;
    if (words !== bare(byHost)) byHost = null;
    tell("ask", by());
  };

  const answered = (answer) => {
    question();
    const turn = Number(answer.id.replace("answer-", "")) || null;
    const outcome = /answer-(answered|closest|declined)/.exec(answer.className)?.[1];
    const count = { quotes: all(".claims > li", answer).length, sources: all(".source", answer).length };
    if (outcome) tell("answer", { ...by(), turn, outcome, ...count });
    else tell("error", { ...by(), reason: "failed" });
    asked = false;
    byHost = null;
  };

  document.addEventListener("followup:trouble", () => {
    if (!asked) tell("ask", by());
    tell("error", { ...by(), reason: "failed" });
    unanswered = pending() ? last() : null;
    asked = false;
    byHost = null;
    setTimeout(ask, 0);
  });

  const settle = () => {
    if (!open && find("#log .answer")) {
      open = true;
      paint();
      tell("ready", { article: wanted.get("article") });
      if (find(".unknown-article")) tell("error", { reason: "unknown-article" });
    }
    if (!note.isConnected) find("#ask")?.before(note);
    if (pending()) question();
    const answer = last() && find(".answer", last());
    if (answer && !pending() && (answer.id ? answer.id !== told : asked)) {
      told = answer.id || told;
      answered(answer);
    }
    ask();
  };

  // Citations

  const words = (node) => {
    const copy = node.cloneNode(true);
    all(".refs", copy).forEach((refs) => refs.remove());
    return copy.textContent;
  };

  const passage = (start, end) => {
    const pieces = all(".article .sentence, .article :is(h1, h2, h3, h4, h5, h6)");
    const cited = pieces.filter(({ id }) => {
      const [, from, to] = /^s-(\d+)-(\d+)$/.exec(id) ?? [];
      return from < end && start < to;
    });
    const text = (nodes) => nodes.map(words).join(" ");
    const [first, after] = [pieces.indexOf(cited[0]), pieces.indexOf(cited.at(-1)) + 1];
    return { quote: text(cited), prefix: text(pieces.slice(Math.max(first - 3, 0), first)), suffix: text(pieces.slice(after, after + 3)) };
  };

  const place = (address = "") => {
    const [, start, end] = /^#s-(\d+)-(\d+)$/.exec(address) ?? [];
    if (end) return { article: true, ...passage(Number(start), Number(end)) };
    const title = /^#reference-\d+$/.test(address) && find(`${address} .work-title`)?.textContent;
    return title ? { article: false, quote: title } : { article: false };
  };

  document.addEventListener("click", ({ target }) => {
    const pressed = target.closest("#log .mark, #log .jump");
    note.textContent = "";
    if (!pressed) return;
    const source = pressed.closest(".source") ?? document.getElementById(pressed.getAttribute("href").slice(1));
    const [, turn, n] = /^source-(\d+)-(\d+)$/.exec(source?.id ?? "") ?? [];
    const jump = pressed.matches(".jump") ? pressed : find('.jump[href^="#s-"]', source ?? document.createElement("p"));
    tell("cite", { turn: Number(turn), n: Number(n), ...place(jump?.getAttribute("href")) });
  });

  const seen = { childList: true, subtree: true, attributeFilter: ["inert", "disabled"] };
  new MutationObserver(settle).observe(document.body, seen);
  settle();
})();
