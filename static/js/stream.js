// The live stream in the browser: follows symbols, numbers what it gets, comes back by itself and asks for what it missed.
//
//   HindcastStream.subscribe("forecasts", ["AAPL"]);
//   document.addEventListener("hindcast:forecasts", (event) => event.detail);    // one changed forecast, as the API tells it
//   document.addEventListener("hindcast:prices", (event) => event.detail);       // one changed price
//   document.addEventListener("hindcast:stream", (event) => event.detail.state); // "open", "waiting" or "error"
//
// The address stands in <body data-stream-url>. The symbols in <... data-live data-symbols="AAPL NVDA"> are followed without
// a line of script. A first snapshot says what the page shows already and is told as "hindcast:snapshot"; a later one, after
// an absence, is told as changes.
"use strict";

(() => {
  const FIRST_PAUSE_MS = 500;
  const LONGEST_PAUSE_MS = 30000;
  const PING_MS = 25000;
  const SILENCE_MS = 60000;

  class Stream {
    constructor(url) {
      this.url = url;
      this.followed = new Map(); // channel -> Map(symbol -> last seq, or null before the snapshot)
      this.settled = new Set(); // "channel symbol" of those that had a snapshot
      this.pause = FIRST_PAUSE_MS;
      this.socket = null;
      this.timer = null;
    }

    subscribe(channel, symbols) {
      const known = this.followed.get(channel) || new Map();
      this.followed.set(channel, known);
      const added = symbols.filter((symbol) => !known.has(symbol));
      added.forEach((symbol) => known.set(symbol, null));
      if (added.length) this.send({ action: "subscribe", channel, symbols: added });
      this.connect();
    }

    unsubscribe(channel, symbols) {
      const known = this.followed.get(channel) || new Map();
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
      this.heardAt = Date.now();
      this.beat = setInterval(() => this.keepAlive(), PING_MS);
      this.followed.forEach((known, channel) => this.follow(channel, known));
      this.tell("stream", { state: "open" });
    }

    // What was seen before is resumed from its number; the rest starts with a snapshot.
    follow(channel, known) {
      const seen = [...known].filter(([, seq]) => seq !== null);
      const fresh = [...known.keys()].filter((symbol) => known.get(symbol) === null);
      if (seen.length) {
        this.send({ action: "resume", channel, symbols: seen.map(([symbol]) => symbol), seq: Object.fromEntries(seen) });
      }
      if (fresh.length) this.send({ action: "subscribe", channel, symbols: fresh });
    }

    received(text) {
      this.heardAt = Date.now();
      this.pause = FIRST_PAUSE_MS;
      const message = JSON.parse(text);
      if (message.type === "snapshot" || message.type === "change") this.took(message);
      if (message.type === "error") this.tell("stream", { state: "error", ...message });
    }

    took(message) {
      const known = this.followed.get(message.channel);
      if (!known || !known.has(message.symbol)) return;
      const last = known.get(message.symbol);
      const isChange = message.type === "change";
      if (isChange && last !== null && message.seq <= last) return;
      if (isChange && last !== null && message.seq > last + 1) {
        // A gap: ask for everything after the last one that was seen; this message comes again with it.
        this.send({ action: "resume", channel: message.channel, symbols: [message.symbol], seq: last });
        return;
      }
      const subject = `${message.channel} ${message.symbol}`;
      const isFirst = !isChange && !this.settled.has(subject);
      this.settled.add(subject);
      known.set(message.symbol, message.seq);
      const { type, seq, channel } = message;
      // Forecasts come as a list, one for each horizon; a price is the message itself.
      const items = message[channel] ?? [message];
      items.forEach((body) => this.tell(isFirst ? "snapshot" : channel, { ...body, type, seq, channel }));
    }

    keepAlive() {
      if (Date.now() - this.heardAt > SILENCE_MS) this.socket.close();
      else this.send({ action: "ping" });
    }

    closed(socket) {
      if (this.socket !== socket) return;
      this.socket = null;
      clearInterval(this.beat);
      this.tell("stream", { state: "waiting" });
      // Half of the pause is chance, so that a thousand pages do not come back in the same moment.
      this.timer = setTimeout(() => this.connect(), this.pause * (0.5 + Math.random() / 2));
      this.pause = Math.min(2 * this.pause, LONGEST_PAUSE_MS);
    }

    send(command) {
      if (this.socket && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(command));
    }

    tell(name, detail) {
      document.dispatchEvent(new CustomEvent(`hindcast:${name}`, { detail }));
    }
  }

  const stream = new Stream(document.body ? document.body.dataset.streamUrl : "");
  window.HindcastStream = stream;

  // A page that was asleep, or a device that lost its network, comes back at once.
  const wake = () => {
    if (!stream.followed.size) return;
    stream.pause = FIRST_PAUSE_MS;
    stream.connect();
  };
  window.addEventListener("online", wake);
  document.addEventListener("visibilitychange", () => document.hidden || wake());

  const regions = [...document.querySelectorAll("[data-live][data-symbols]")];
  const symbols = new Set(regions.flatMap((region) => region.dataset.symbols.split(" ").filter(Boolean)));
  if (symbols.size) stream.subscribe("forecasts", [...symbols]);
})();
