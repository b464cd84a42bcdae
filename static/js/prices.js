// Moves the prices of a page: follows every [data-price-of] on the stream, writes what changed, flashes it once.
(() => {
  const MINUS = "\u2212";
  const PERCENT = "\u00a0%";
  const ARROWS = { up: "▲", down: "▼", flat: "=" };
  const GONE_AFTER_MS = 5000;
  const NAMES = JSON.parse(document.currentScript.dataset.sources);

  const places = () => [...document.querySelectorAll("[data-price-of]")];
  const name = (source) => NAMES[source] ?? source;

  // As the server writes it: rounded to the tick, in its pattern such as "$#" or "# CHF".
  function money(value, { tick, decimals, money: pattern }) {
    const rounded = Math.round(value / Number(tick)) * Number(tick);
    const digits = { minimumFractionDigits: Number(decimals), maximumFractionDigits: Number(decimals) };
    return pattern.replace("#", rounded.toLocaleString("en-US", digits));
  }

  function signed(percent) {
    const figure = `${Math.abs(percent).toFixed(2)}${PERCENT}`;
    if (figure === `0.00${PERCENT}`) return { way: "flat", text: figure };
    return percent > 0 ? { way: "up", text: `+${figure}` } : { way: "down", text: `${MINUS}${figure}` };
  }

  function changeOf(percent) {
    const { way, text } = signed(percent);
    const node = document.createElement("span");
    node.className = `change change--${way}`;
    const arrow = document.createElement("span");
    arrow.ariaHidden = "true";
    arrow.textContent = ARROWS[way];
    const words = document.createElement("span");
    words.className = "visually-hidden";
    words.textContent = " since the session before";
    node.append(arrow, ` ${text}`, words);
    return node;
  }

  const clock = (instant, locale, options) =>
    new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", ...options }).format(instant);

  const DAY = new Intl.DateTimeFormat("en-US", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

  // A session as the page writes it: Thu 21 Sep 2023.
  function day(iso) {
    const parts = Object.fromEntries(DAY.formatToParts(new Date(`${iso}T00:00Z`)).map(({ type, value }) => [type, value]));
    return `${parts.weekday} ${parts.day} ${parts.month} ${parts.year}`;
  }

  // The reader's time with the exchange's beside it; one of them where both clocks show the same.
  function when(place) {
    const { asOf, kind, session, zone, exchange } = place.dataset;
    const isShort = "short" in place.dataset;
    if (kind === "close") return isShort ? "" : `${exchange} close ${day(session)}`;
    const instant = new Date(asOf);
    const there = clock(instant, "en-US", { timeZone: zone, hourCycle: "h23", timeZoneName: "short" });
    const here = clock(instant, undefined, {});
    const isSame = clock(instant, "en-US", { hourCycle: "h23" }) === clock(instant, "en-US", { timeZone: zone, hourCycle: "h23" });
    const local = isSame ? "" : `${here} here, `;
    const parts = [isShort ? `${local}${there}` : `${day(session)}, ${local}${there} at ${exchange}`];
    if ("delayed" in place.dataset) parts.push("delayed");
    if ("stale" in place.dataset) parts.push("out of date");
    return parts.join(" · ");
  }

  function tellWhen(place) {
    place.querySelector("[data-live-when]").textContent = when(place);
    const source = place.querySelector("[data-live-source]");
    if (source) source.textContent = ` · ${name(place.dataset.source)}`;
  }

  function flash(node) {
    node.classList.remove("flash");
    void node.offsetWidth;
    node.classList.add("flash");
    node.addEventListener("animationend", () => node.classList.remove("flash"), { once: true });
  }

  function move(place, message) {
    if (new Date(message.as_of) < new Date(place.dataset.asOf)) return;
    const { as_of: asOf, kind, source, session } = message;
    Object.assign(place.dataset, { asOf, kind, source, session });
    for (const fact of ["delayed", "stale"]) {
      if (message[fact]) place.dataset[fact] = "";
      else delete place.dataset[fact];
    }
    const price = place.querySelector("[data-flash]");
    const text = money(message.price, place.dataset);
    if (price.textContent !== text) {
      price.textContent = text;
      flash(price);
    }
    const change = message.change_percent === null ? [] : [changeOf(message.change_percent)];
    place.querySelector("[data-live-change]").replaceChildren(...change);
    tellWhen(place);
  }

  function take(event) {
    const message = event.detail;
    if (message.channel !== "prices" || message.price === null) return;
    for (const place of places()) {
      if (place.dataset.priceOf === message.symbol) move(place, message);
    }
  }

  // What the server wrote names the exchange's time only.
  function tellTimes() {
    places().forEach(tellWhen);
  }

  function follow() {
    tellTimes();
    const symbols = [...new Set(places().map((place) => place.dataset.priceOf))];
    if (symbols.length) HindcastStream.subscribe("prices", symbols);
  }

  // Counted from the loss, not from the last vain attempt to come back: those come ever more seldom.
  let gone = null;
  function watchStream({ detail: { state } }) {
    const show = (isGone) => document.querySelectorAll("[data-stream-gone]").forEach((ribbon) => (ribbon.hidden = !isGone));
    if (state === "waiting") gone ??= setTimeout(show, GONE_AFTER_MS, true);
    if (state !== "open") return;
    clearTimeout(gone);
    gone = null;
    show(false);
  }

  document.addEventListener("hindcast:prices", take);
  document.addEventListener("hindcast:snapshot", take);
  document.addEventListener("hindcast:refreshed", follow);
  document.addEventListener("htmx:afterSwap", follow);
  document.addEventListener("hindcast:stream", watchStream);
  follow();
})();
