// Live stream client: subscribes to symbols, tracks sequence numbers, reconnects and resumes after gaps.
//
//   HindcastStream.subscribe("forecasts", ["AAPL"]);
//   document.addEventListener("hindcast:forecasts", (event) => event.detail);    // one changed forecast, in the API's format
//   document.addEventListener("hindcast:prices", (event) => event.detail);       // one changed price
//   document.addEventListener("hindcast:stream", (event) => event.detail.state); // "open", "waiting" or "error"
//
// The URL is in <body data-stream-url>. Symbols in <... data-live data-symbols="AAPL NVDA"> are subscribed automatically.
// The first snapshot of a symbol is dispatched as "hindcast:snapshot"; later ones, after a reconnect, as changes.
"use strict";

(() => {
  const FIRST_RETRY_MS = 500;
  const LONGEST_RETRY_MS = 30000;
  const PING_MS = 25000;
  const SILENCE_MS = 60000;

  class Stream {
    constructor(url) {
      this.url = url;
      this.subscriptions = new Map(); // channel -> Map(symbol -> last seq, or null before the snapshot)
      this.settled = new Set(); // "channel symbol" pairs that have had a snapshot
      this.retryDelay = FIRST_RETRY_MS;
      this.socket = null;
      this.timer = null;
    }

    subscribe(channel, symbols) {
      const known = this.subscriptions.get(channel) || new Map();
      this.subscriptions.set(channel, known);
      const added = symbols.filter((symbol) => !known.has(symbol));
      added.forEach((symbol) => known.set(symbol, null));
      if (added.length) this.send({ action: "subscribe", channel, symbols: added });
      this.connect();
    }

    unsubscribe(channel, symbols) {
      const known = this.subscriptions.get(channel) || new Map();
      symbols.forEach((symbol) => known.delete(symbol));
      this.send({ action: "unsubscribe", channel, symbols });
    }

    connect() {
      if (this.socket || !this.url) return;
      clearTimeout(this.timer);
      const socket = new WebSocket(this.url);
      this.socket = socket;
      socket.addEventListener("open", () => this.opened());
      socket.addEventListener("message", (event) => this.received(event.data));
      socket.addEventListener("close", () => this.closed(socket));
    }

    opened() {
      this.lastReceivedAt = Date.now();
      this.beat = setInterval(() => this.keepAlive(), PING_MS);
      this.subscriptions.forEach((known, channel) => this.follow(channel, known));
      this.dispatch("stream", { state: "open" });
    }

    // Resumes known symbols from their sequence number; the others start with a snapshot.
    follow(channel, known) {
      const seen = [...known].filter(([, seq]) => seq !== null);
      const fresh = [...known.keys()].filter((symbol) => known.get(symbol) === null);
      if (seen.length) {
        this.send({ action: "resume", channel, symbols: seen.map(([symbol]) => symbol), seq: Object.fromEntries(seen) });
      }
      if (fresh.length) this.send({ action: "subscribe", channel, symbols: fresh });
    }

    received(text) {
      this.lastReceivedAt = Date.now();
      const message = JSON.parse(text);
      // Over a limit the server closes the socket; the next attempt waits at least as long as it requests.
      this.retryDelay = message.retry_after ? 2000 * message.retry_after : FIRST_RETRY_MS;
      if (message.type === "snapshot" || message.type === "change") this.accept(message);
      if (message.type === "error") this.dispatch("stream", { state: "error", ...message });
    }

    accept(message) {
      const known = this.subscriptions.get(message.channel);
      if (!known || !known.has(message.symbol)) return;
      const last = known.get(message.symbol);
      const isChange = message.type === "change";
      if (isChange && last !== null && message.seq <= last) return;
      if (isChange && last !== null && message.seq > last + 1) {
        // A gap: request everything after the last known message; this message is sent again.
        this.send({ action: "resume", channel: message.channel, symbols: [message.symbol], seq: last });
        return;
      }
      const subject = `${message.channel} ${message.symbol}`;
      const isFirst = !isChange && !this.settled.has(subject);
      this.settled.add(subject);
      known.set(message.symbol, message.seq);
      const { type, seq, channel } = message;
      // Forecasts arrive as a list with one item per horizon; a price is the message itself.
      const items = message[channel] ?? [message];
      items.forEach((body) => this.dispatch(isFirst ? "snapshot" : channel, { ...body, type, seq, channel }));
    }

    keepAlive() {
      if (Date.now() - this.lastReceivedAt > SILENCE_MS) this.socket.close();
      else this.send({ action: "ping" });
    }

    closed(socket) {
      if (this.socket !== socket) return;
      this.socket = null;
      clearInterval(this.beat);
      this.dispatch("stream", { state: "waiting" });
      // Half of the delay is random, so that open pages do not all reconnect at once.
      this.timer = setTimeout(() => this.connect(), this.retryDelay * (0.5 + Math.random() / 2));
      this.retryDelay = Math.min(2 * this.retryDelay, LONGEST_RETRY_MS);
    }

    send(command) {
      if (this.socket && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(command));
    }

    dispatch(name, detail) {
      document.dispatchEvent(new CustomEvent(`hindcast:${name}`, { detail }));
    }
  }

  const stream = new Stream(document.body ? document.body.dataset.streamUrl : "");
  window.HindcastStream = stream;

  // A page that was in the background, or a device that was offline, reconnects at once.
  const wake = () => {
    if (!stream.subscriptions.size) return;
    stream.retryDelay = FIRST_RETRY_MS;
    stream.connect();
  };
  window.addEventListener("online", wake);
  document.addEventListener("visibilitychange", () => document.hidden || wake());

  const regions = [...document.querySelectorAll("[data-live][data-symbols]")];
  const symbols = new Set(regions.flatMap((region) => region.dataset.symbols.split(" ").filter(Boolean)));
  if (symbols.size) stream.subscribe("forecasts", [...symbols]);
})();
