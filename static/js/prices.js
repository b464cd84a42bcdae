// Updates the prices of a page: subscribes to every [data-price-of] on the stream, writes changes and flashes them once.
(() => {
  const MINUS = "\u2212";
  const ARROWS = { up: "▲", down: "▼", flat: "=" };
  const INTERRUPTED_AFTER_MS = 5000;
  const SOURCE_NAMES = JSON.parse(document.currentScript.dataset.sources);

  const priceNodes = () => [...document.querySelectorAll("[data-price-of]")];
  const sourceName = (source) => SOURCE_NAMES[source] ?? source;

  // Formats a price as the server does: rounded to the tick, in a pattern such as "$#" or "# CHF".
  function money(value, { tick, decimals, money: pattern }) {
    const rounded = Math.round(value / Number(tick)) * Number(tick);
    const digits = { minimumFractionDigits: Number(decimals), maximumFractionDigits: Number(decimals) };
    return pattern.replace("#", rounded.toLocaleString("en-US", digits));
  }

  function signed(percent) {
    const figure = `${Math.abs(percent).toFixed(2)}%`;
    if (figure === `0.00%`) return { direction: "flat", text: figure };
    return percent > 0 ? { direction: "up", text: `+${figure}` } : { direction: "down", text: `${MINUS}${figure}` };
  }

  function changeNode(percent) {
    const { direction, text } = signed(percent);
    const node = document.createElement("span");
    node.className = `change change--${direction}`;
    const arrow = document.createElement("span");
    arrow.ariaHidden = "true";
    arrow.textContent = ARROWS[direction];
    const words = document.createElement("span");
    words.className = "visually-hidden";
    words.textContent = " since the previous close";
    node.append(arrow, ` ${text}`, words);
    return node;
  }

  const clock = (instant, locale, options) =>
    new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", ...options }).format(instant);

  const DAY = new Intl.DateTimeFormat("en-US", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

  // Formats a date as the server does: Thu 21 Sep 2023.
  function day(iso) {
    const parts = Object.fromEntries(DAY.formatToParts(new Date(`${iso}T00:00Z`)).map(({ type, value }) => [type, value]));
    return `${parts.weekday} ${parts.day} ${parts.month} ${parts.year}`;
  }

  // The reader's time and the exchange's; only one if both clocks show the same.
  function when(node) {
    const { asOf, kind, session, zone, exchange } = node.dataset;
    const isShort = "short" in node.dataset;
    if (kind === "close") return isShort ? "" : `${exchange} close ${day(session)}`;
    const instant = new Date(asOf);
    const exchangeTime = clock(instant, "en-US", { timeZone: zone, hourCycle: "h23", timeZoneName: "short" });
    const localTime = clock(instant, undefined, {});
    const isSame = clock(instant, "en-US", { hourCycle: "h23" }) === clock(instant, "en-US", { timeZone: zone, hourCycle: "h23" });
    const local = isSame ? "" : `${localTime} local, `;
    const parts = [isShort ? `${local}${exchangeTime}` : `${day(session)}, ${local}${exchangeTime} at ${exchange}`];
    if ("delayed" in node.dataset) parts.push("delayed");
    if ("stale" in node.dataset) parts.push("out of date");
    return parts.join(" · ");
  }

  function renderTime(node) {
    node.querySelector("[data-live-when]").textContent = when(node);
    const source = node.querySelector("[data-live-source]");
    if (source) source.textContent = ` · ${sourceName(node.dataset.source)}`;
  }

  function flash(node) {
    node.classList.remove("flash");
    void node.offsetWidth;
    node.classList.add("flash");
    node.addEventListener("animationend", () => node.classList.remove("flash"), { once: true });
  }

  function update(node, message) {
    if (new Date(message.as_of) < new Date(node.dataset.asOf)) return;
    const { as_of: asOf, kind, source, session } = message;
    Object.assign(node.dataset, { asOf, kind, source, session });
    for (const fact of ["delayed", "stale"]) {
      if (message[fact]) node.dataset[fact] = "";
      else delete node.dataset[fact];
    }
    const price = node.querySelector("[data-flash]");
    const text = money(message.price, node.dataset);
    if (price.textContent !== text) {
      price.textContent = text;
      flash(price);
    }
    const change = message.change_percent === null ? [] : [changeNode(message.change_percent)];
    node.querySelector("[data-live-change]").replaceChildren(...change);
    renderTime(node);
  }

  function receive(event) {
    const message = event.detail;
    if (message.channel !== "prices" || message.price === null) return;
    for (const node of priceNodes()) {
      if (node.dataset.priceOf === message.symbol) update(node, message);
    }
  }

  // The server renders the exchange's time only.
  function renderTimes() {
    priceNodes().forEach(renderTime);
  }

  function subscribe() {
    renderTimes();
    const symbols = [...new Set(priceNodes().map((node) => node.dataset.priceOf))];
    if (symbols.length) HindcastStream.subscribe("prices", symbols);
  }

  // The delay counts from the loss of the connection, not from the last retry: retries back off.
  let interruptedTimer = null;
  function watchStream({ detail: { state } }) {
    const show = (interrupted) => document.querySelectorAll("[data-stream-interrupted]").forEach((ribbon) => (ribbon.hidden = !interrupted));
    if (state === "waiting") interruptedTimer ??= setTimeout(show, INTERRUPTED_AFTER_MS, true);
    if (state !== "open") return;
    clearTimeout(interruptedTimer);
    interruptedTimer = null;
    show(false);
  }

  document.addEventListener("hindcast:prices", receive);
  document.addEventListener("hindcast:snapshot", receive);
  document.addEventListener("hindcast:refreshed", subscribe);
  document.addEventListener("htmx:afterSwap", subscribe);
  document.addEventListener("hindcast:stream", watchStream);
  subscribe();
})();
