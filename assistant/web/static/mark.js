// Quotation -> Range: finds the sentence of a citation in the page around the widget and marks it; the page stays as it is.

// Words, numbers, signs and comparisons count, spaces and punctuation do not; "1.5" is one number, or it would equal "15".
const WORD = /\[\d[\d\s,;–-]*\]|[\p{L}\p{M}\u00ad\u200b-\u200d\u2060]+|\p{N}+(?:[.,]\p{N}+)*|[<>≤≥=±%]|(?<=[\s(])[-−](?=\p{N})/gu;
const INVISIBLE = /[\u00ad\u200b-\u200d\u2060]/g;
const NOTE = /^[\d\s,;–-]+$/;
const BOUND = /[.!?:;…\u2029]/; // between sentences; U+2029 stands for the edge of a block
const ENOUGH = 2; // words of a quotation; a single one could be anywhere

// ``notes`` are [from, to] of raised reference numbers; these, and bracketed ones, may be missing in a quotation.
const tokens = (text, notes = []) => [...text.matchAll(WORD)].map(({ 0: found, index: from }) => ({
  word: found.replace(INVISIBLE, "").replace("−", "-").normalize().toLowerCase(),
  from,
  to: from + found.length,
  note: found[0] === "[" || notes.some((note) => note[0] <= from && from < note[1]),
})).filter(({ word }) => word);

// The text that ``root`` shows, the text nodes it came from with their offsets, and its words.
const read = (root, skipped) => {
  const nodes = [];
  const notes = [];
  let text = "";
  const element = (node) => {
    const { display } = getComputedStyle(node);
    if (node === skipped || display === "none" || /^(TEXTAREA|SELECT)$/.test(node.tagName)) return;
    const note = node.tagName === "SUP" && NOTE.test(node.textContent) && !/\d$/.test(text); // after a digit it is a power
    const edge = display.startsWith("inline") ? " " : "\u2029";
    const gap = /^(inline|contents)$/.test(display) && node.tagName !== "BR" && !note ? "" : edge;
    text += gap;
    const from = text.length;
    const folded = node.tagName === "DETAILS" && !node.open;
    (folded ? node.querySelectorAll(":scope > summary") : node.childNodes).forEach(visit);
    if (note) notes.push([from, text.length]);
    text += gap;
  };
  const visit = (node) => {
    if (node.nodeType === Node.ELEMENT_NODE) element(node);
    if (node.nodeType !== Node.TEXT_NODE) return;
    nodes.push([node, text.length]);
    text += node.data;
  };
  visit(root);
  return { text, nodes, words: tokens(text, notes) };
};

// How many words from ``at`` on are as expected, and where the next one stands; ``step`` -1 looks backwards.
const run = (expected, words, at, step) => {
  let count = 0;
  for (const { word } of expected) {
    while (words[at]?.note && words[at].word !== word) at += step;
    if (words[at]?.word !== word) break;
    count += 1;
    at += step;
  }
  return [count, at];
};

// Whether the words from ``first`` up to ``next`` are whole sentences: "do not use it" must not be found as "use it".
const whole = ({ text, words }, first, next) => {
  let [left, right] = [first - 1, next];
  while (words[left]?.note) left -= 1;
  while (words[right]?.note) right += 1;
  const before = left < 0 || BOUND.test(text.slice(words[left].to, words[first].from));
  return before && (right >= words.length || BOUND.test(text.slice(words[next - 1].to, words[right].from)));
};

const rangeOf = ({ text, nodes }, from, to) => {
  const place = (offset) => {
    const [node, start] = nodes.findLast((entry) => entry[1] <= offset);
    return [node, offset - start];
  };
  const [closing] = /^[.!?]?[”"’)]*/.exec(text.slice(to, to + 9));
  const range = document.createRange();
  range.setStart(...place(from));
  const [node, last] = place(to + closing.length - 1);
  range.setEnd(node, last + 1);
  return range;
};

const visible = (range) => {
  const node = range.startContainer.parentElement;
  return node.checkVisibility ? node.checkVisibility({ visibilityProperty: true }) : true;
};

// Returns the one visible place of the quotation, chosen by the words before and after it; null when a doubt remains.
export const locate = ({ quote, prefix = "", suffix = "" }, skipped = null, root = document.body) => {
  const wanted = tokens(String(quote));
  const before = tokens(String(prefix)).reverse();
  const after = tokens(String(suffix));
  if (wanted.length < ENOUGH) return null;
  const page = read(root, skipped);
  const found = [];
  page.words.forEach(({ word, from }, first) => {
    if (word !== wanted[0].word) return;
    const [count, next] = run(wanted, page.words, first, 1);
    if (count < wanted.length || !whole(page, first, next)) return;
    const range = rangeOf(page, from, page.words[next - 1].to);
    const [[left], [right]] = [run(before, page.words, first - 1, -1), run(after, page.words, next, 1)];
    if (visible(range)) found.push({ range, fit: left + right });
  });
  found.sort((one, other) => other.fit - one.fit);
  return found.length && found[0].fit !== found[1]?.fit ? found[0].range : null;
};

const RULES = "::highlight(followup) { color: var(--followup-mark-text, #1c1600); background-color: var(--followup-mark, #ffe27a); }";
let sheet = null;

// The page's own address with a text fragment: the browser paints those words itself, and drops the fragment from the address.
const fragment = (range) => `${location.hash || "#"}:~:text=${encodeURIComponent(range).replaceAll("-", "%2D")}`;

// Paints the range without a change to the document, where the browser can; else by a text fragment, or as a selection.
export const mark = (range) => {
  if (window.Highlight) {
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(RULES);
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    }
    CSS.highlights.set("followup", new Highlight(range));
  } else if (document.fragmentDirective) {
    location.replace(fragment(range));
  } else {
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }
  range.startContainer.parentElement.scrollIntoView({ block: "nearest", behavior: "instant" });
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  scrollBy({ top: range.getBoundingClientRect().top - innerHeight / 3, behavior: calm ? "instant" : "smooth" });
};
