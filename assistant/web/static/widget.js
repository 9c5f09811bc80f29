// <followup-assistant article="id">: the chat under an article of another site, loaded when it comes near.
(() => {
  const TAG = "followup-assistant";
  if (customElements.get(TAG)) return;

  const base = new URL(".", document.currentScript.src);
  const NAMES = ["article", "reader", "lang", "theme"];
  const WORDS = {
    en: ["Ask a follow-up question", "Close", "Back to the answer"],
    es: ["Hacer una pregunta", "Cerrar", "Volver a la respuesta"],
  };
  const STYLE = `
    :host { display: block }
    :host([hidden]), [hidden] { display: none !important }
    .box { position: relative; display: flex; font: 16px/1.4 system-ui, sans-serif; flex-direction: column; box-sizing: border-box; block-size: min(680px, 85vh);
      overflow: hidden; border: 1px solid #8888; border-radius: 8px }
    iframe { flex: 1; min-block-size: 0; border: 0 }
    slot { position: absolute; inset: 0; display: block; padding: 1rem; overflow: auto }
    .box:not(.ready) iframe, .ready slot { visibility: hidden }
    button { min-block-size: 44px; padding: 0 1rem; font: 600 16px system-ui, sans-serif; color: #fff; background: #0d5c75; border: 0;
      border-radius: 8px; cursor: pointer }
    button:focus-visible { outline: 3px solid #fff; outline-offset: -6px }
    .float, .panel { position: fixed; inset: auto 16px 16px auto; z-index: 2147483000; box-shadow: 0 2px 16px #0006 }
    .panel { inline-size: min(26rem, 100vw - 32px); max-block-size: calc(100dvh - 32px); color: CanvasText; background: Canvas }
    .bar { z-index: 1; display: flex; justify-content: space-between; align-items: center; padding-inline-start: 1rem;
      font-weight: 600; color: #fff; background: #0d5c75 }
    @media (max-width: 480px), (max-height: 480px) { .panel { inset: 0; inline-size: auto; block-size: auto !important; max-block-size: none; border-radius: 0 } }
    @media (max-height: 480px) {
      .panel { flex-direction: row-reverse }
      .bar { align-items: start; padding: 0; font-size: 0 }
    }`;

  const make = (tag, properties, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };

  customElements.define(TAG, class extends HTMLElement {
    static observedAttributes = NAMES;

    #box;
    #float; // opens the panel, or leads back to the answer
    #frame;
    #label;
    #marked;
    #panel;
    #ready;
    #waiting = []; // for the frame
    #watch;

    connectedCallback() {
      if (!this.#box) this.#build();
      addEventListener("message", this);
      this.#watch = new IntersectionObserver((entries) => entries.at(-1).isIntersecting && this.#load(), { rootMargin: "400px" });
      if (!this.#panel) this.#watch.observe(this);
    }

    disconnectedCallback() {
      removeEventListener("message", this);
      this.#watch.disconnect();
      this.#frame = this.#frame?.remove();
    }

    attributeChangedCallback(name, before, theme) {
      if (!this.#frame || before === theme) return;
      if (name === "theme") this.#when(() => this.#tell(name, { theme }));
      else this.#load(true);
    }

    open() {
      const { activeElement } = document;
      this.#load();
      this.#marked = false;
      if (this.#panel) this.#show(true);
      else this.scrollIntoView({ block: "nearest" });
      this.#when(() => {
        if (![activeElement, this].includes(document.activeElement)) return; // the reader has gone on
        this.#frame.focus();
        this.#tell("focus");
      });
    }

    ask(text) {
      if (this.#panel) this.open();
      else this.#load();
      this.#when(() => this.#tell("ask", { text: String(text) }));
    }

    handleEvent({ origin, source, data }) {
      if (source !== this.#frame?.contentWindow || origin !== base.origin) return;
      const { followup: kind, ...detail } = Object(data);
      if (kind === "ready") {
        this.#ready = this.#box.classList.toggle(kind, true);
        this.#tell("hello");
        this.#waiting.splice(0).forEach((action) => action());
      }
      if (kind === "close") this.#show(false);
      else if (kind === "cite") this.#cite(detail);
      else if (/^(ready|ask|answer|error)$/.test(kind)) this.#emit(kind, detail);
    }

    #build() {
      const [ask, close, back] = WORDS[this.lang.slice(0, 2)] ?? WORDS.en;
      const height = this.getAttribute("height") ?? "";
      this.#label = this.getAttribute("label") || ask;
      this.#panel = this.getAttribute("mode") === "launcher";
      this.#box = make("div", { className: "box", part: "panel" });
      this.#box.style.blockSize = height > 0 ? `${height}px` : height;
      this.#float = make("button", { className: "float", part: "launcher", hidden: !this.#panel, onclick: () => this.open() });
      this.#float.append(this.#panel ? this.#label : back);
      if (this.#panel) {
        Object.assign(this.#box, { className: "box panel", hidden: true, role: "dialog", ariaLabel: this.#label });
        const shut = make("button", { onclick: () => this.#show(false) }, close);
        this.#box.append(make("div", { className: "bar" }, this.#label, shut));
        this.#box.onkeydown = ({ key }) => key === "Escape" && this.#show(false);
      }
      const link = make("a", { href: this.#address("app/") }, this.#label);
      this.#box.append(make("slot", {}, link, " An automated assistant, not medical advice."));
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [sheet];
      root.append(this.#box, this.#float);
    }

    #address(path) {
      const url = new URL(path, base);
      for (const name of NAMES) url.searchParams.set(name, this.getAttribute(name) ?? "");
      return url.href;
    }

    #load(again) {
      if (this.#frame && !again) return;
      this.#frame?.remove();
      this.#ready = this.#box.classList.toggle("ready", false);
      const frame = make("iframe", {
        allow: "clipboard-write",
        referrerPolicy: "strict-origin-when-cross-origin",
        sandbox: "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox allow-downloads allow-modals",
        src: this.#address("embed/"),
        title: this.#label,
      });
      this.#frame = frame;
      this.#box.append(frame);
      setTimeout(() => frame === this.#frame && !this.#ready && this.#emit("error", { reason: "blocked" }), 20_000);
      this.#watch.disconnect();
      if (this.#panel) return;
      this.#watch = new IntersectionObserver((entries) => (this.#float.hidden = entries.at(-1).isIntersecting || !this.#marked));
      this.#watch.observe(this);
    }

    #show(open) {
      if (!this.#panel || this.#box.hidden !== open) return;
      this.#box.hidden = !open;
      this.#float.hidden = open;
      (open ? this.#box.querySelector("button") : this.#float).focus();
    }

    async #cite(detail) {
      const { locate, mark } = await import(new URL("static/mark.js", base)).catch(() => ({}));
      const range = detail.quote && locate?.(detail, this);
      const found = !!range;
      if (!this.#emit("cite", { ...detail, found })) return; // the page does it itself
      if (detail.quote) this.#tell("shown", { found });
      if (!found) return;
      this.#marked = true;
      mark(range);
      if (range.getBoundingClientRect().right > this.#box.getBoundingClientRect().left) this.#show(false); // it would be covered
    }

    #when(action) {
      if (this.#ready) action();
      else this.#waiting.push(action);
    }

    #tell(kind, detail) {
      this.#frame.contentWindow.postMessage({ followup: kind, ...detail }, base.origin);
    }

    #emit(kind, detail) {
      return this.dispatchEvent(new CustomEvent(`followup:${kind}`, { bubbles: true, cancelable: true, detail }));
    }
  });
})();
