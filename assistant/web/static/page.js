// Citations that open and light up their sentence, commands to the server, names for what Gradio leaves nameless.
(() => {
  "use strict";

  const small = matchMedia("(max-width: 820px), (max-height: 480px)");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const find = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const behavior = () => (calm.matches ? "auto" : "smooth");

  // Compare first: an observer that writes what it observes would never rest.
  const name = (node, attribute, value) => {
    if (node && node.getAttribute(attribute) !== value) node.setAttribute(attribute, value);
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

  // The conversation

  const openSource = (mark) => {
    const source = document.getElementById(mark.getAttribute("href").slice(1));
    if (!source) return;
    source.open = true;
    all("#log .mark.lit").forEach((other) => other.classList.remove("lit"));
    mark.classList.add("lit");
    find("summary", source).focus({ preventScroll: true });
    source.scrollIntoView({ block: "nearest", behavior: behavior() });
    const jump = find('.jump[href^="#s-"]', source);
    if (jump) visit(jump.getAttribute("href").slice(1), { open: false, focus: false });
  };

  let sent = 0; // makes two equal commands different, or the second would be no change
  const command = (wish) => {
    const box = find("#command textarea");
    if (!box) return;
    sent += 1;
    box.value = JSON.stringify({ ...wish, sent });
    box.dispatchEvent(new Event("input", { bubbles: true }));
  };

  const withoutTerm = (button) => {
    const answer = button.closest(".answer");
    const taken = all(".left-out", answer).map((node) => node.title);
    command({ turn: Number(answer.id.replace("answer-", "")), without: [...taken, button.title] });
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest(".mark, .jump, .refs a, .chip, .without, .skip");
    if (!target) return;
    event.preventDefault();
    if (target.matches(".mark")) openSource(target);
    else if (target.matches(".chip")) command({ ask: target.textContent });
    else if (target.matches(".without")) withoutTerm(target);
    else if (target.matches(".skip")) find("#question textarea").focus();
    else visit(target.getAttribute("href").slice(1), { open: true, focus: true });
  });

  // Names and announcements

  const status = document.createElement("p");
  status.className = "spoken-only";
  status.setAttribute("role", "status");

  const label = () => {
    all("#log .message-row").forEach((row) => {
      const text = row.matches(".user-row") ? "Your question" : "Assistant";
      name(row, "role", "group");
      name(row, "aria-label", text);
      all("[data-testid], button.message, .message", row).forEach((node) => {
        if (node.hasAttribute("aria-label")) name(node, "aria-label", text);
      });
    });
    all("#log .mark").forEach((mark) => name(mark, "aria-label", mark.title));
    all("#log .without").forEach((button) => name(button, "aria-label", `Ask without “${button.title}”`));
    name(find("#reader"), "aria-label", "I am reading as a");
    all('#log [role="log"]').forEach((log) => name(log, "aria-live", "off"));
    all("#log .chips").forEach((chips) => {
      name(chips, "role", "group");
      name(chips, "aria-label", find(".chips-label", chips).textContent);
    });
  };

  let seen = 0;
  const announce = () => {
    const answers = all("#log .answer[id]");
    if (answers.length <= seen) {
      seen = answers.length;
      return;
    }
    seen = answers.length;
    const answer = answers[seen - 1];
    const count = all(".source", answer).length;
    status.textContent = `Answer ready, ${count} ${count === 1 ? "source" : "sources"}.`;
    const row = all("#log .user-row").pop() || answer;
    row.scrollIntoView({ block: "start", behavior: behavior() });
  };

  let fold = null;
  const settle = () => {
    label();
    announce();
    if (find(".fold") !== fold) {
      fold = find(".fold");
      foldWhenSmall();
    }
    if (!status.isConnected && find("#page")) find("#page").append(status);
  };

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
  settle();
})();
