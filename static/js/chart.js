// Draws the price chart of a stock's page from the arrays that the server gives.
(() => {
  const TOKENS = {
    ink: "--ink",
    quiet: "--quiet",
    line: "--line",
    surface: "--surface",
    up: "--up",
    down: "--down",
    forecast: "--forecast",
    forecastInk: "--forecast-ink",
    forecast80: "--forecast-80",
    forecast95: "--forecast-95",
  };
  const ROOM_AFTER = 2;
  const SPOKEN = { live: "forecast on", hindcast: "hindcast as of" };

  // The tokens as the browser resolves them for the current theme.
  function readColours() {
    const probe = document.createElement("span");
    document.body.append(probe);
    const resolved = Object.entries(TOKENS).map(([name, token]) => {
      probe.style.color = `var(${token})`;
      return [name, getComputedStyle(probe).color];
    });
    probe.remove();
    return Object.fromEntries(resolved);
  }

  function chartOptions(colours) {
    return {
      autoSize: true,
      layout: {
        background: { color: "transparent" },
        textColor: colours.quiet,
        fontFamily: getComputedStyle(document.body).fontFamily,
        fontSize: 12,
        attributionLogo: false,
      },
      grid: { vertLines: { visible: false }, horzLines: { color: colours.line } },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.08, bottom: 0.08 } },
      timeScale: { borderColor: colours.line, minBarSpacing: 0.2, fixLeftEdge: true },
      crosshair: {
        vertLine: { color: colours.quiet, labelBackgroundColor: colours.ink },
        horzLine: { color: colours.quiet, labelBackgroundColor: colours.ink },
      },
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      handleScale: { mouseWheel: false },
    };
  }

  function candleOptions(colours, decimals) {
    return {
      upColor: colours.up,
      downColor: colours.down,
      borderVisible: false,
      wickUpColor: colours.up,
      wickDownColor: colours.down,
      priceLineVisible: false,
      lastValueVisible: false,
      priceFormat: { type: "price", precision: decimals, minMove: 10 ** -decimals },
    };
  }

  function candles(body) {
    const known = body.sessions.map((time, i) => ({
      time,
      open: body.open[i],
      high: body.high[i],
      low: body.low[i],
      close: body.close[i],
    }));
    return [...known, ...body.future.map((time) => ({ time }))];
  }

  const DAY = new Intl.DateTimeFormat("en-US", {
    weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC",
  });

  // A session as the page writes it: Thu 21 Sep 2023.
  function day(iso) {
    const parts = Object.fromEntries(DAY.formatToParts(new Date(`${iso}T00:00Z`)).map(({ type, value }) => [type, value]));
    return `${parts.weekday} ${parts.day} ${parts.month} ${parts.year}`;
  }

  // What the line above the chart says about the session under the pointer.
  function readout(body, session) {
    const money = new Intl.NumberFormat("en", { style: "currency", currency: body.currency, minimumFractionDigits: body.decimals });
    const said = body.cone.find((point) => point.session === session);
    if (said) {
      return `${day(session)}  forecast ${money.format(said.predicted)}, 80 % ${money.format(said.lower_80)} to ${money.format(said.upper_80)}, 95 % ${money.format(said.lower_95)} to ${money.format(said.upper_95)}`;
    }
    const row = body.sessions.indexOf(session);
    if (row < 0) return `${day(session)}  no forecast for this session`;
    const [open, high, low, close] = ["open", "high", "low", "close"].map((name) => money.format(body[name][row]));
    const earlier = body.past.find((point) => point.session === session);
    const then = earlier ? `, ${SPOKEN[earlier.kind]} ${day(earlier.origin)}: ${money.format(earlier.price)}` : "";
    return `${day(session)}  open ${open}, high ${high}, low ${low}, close ${close} (${body.source})${then}`;
  }

  // A drawn chart: it can change its arrays, its range and its colours.
  class PriceChart {
    constructor(holder, body) {
      this.figure = holder.closest("figure");
      this.colours = readColours();
      holder.replaceChildren();
      this.chart = LightweightCharts.createChart(holder, chartOptions(this.colours));
      this.series = this.chart.addSeries(LightweightCharts.CandlestickSeries, candleOptions(this.colours, body.decimals));
      this.buttons = [...this.figure.querySelectorAll("[data-range]")];
      this.listen();
      this.show(body);
      this.showRange(this.buttons.find((button) => button.getAttribute("aria-pressed") === "true"));
      holder.classList.add("chart__canvas--drawn");
    }

    listen() {
      for (const button of this.buttons) button.addEventListener("click", () => this.showRange(button));
      this.chart.subscribeCrosshairMove((move) => this.tell(move.time));
      document.addEventListener("hindcast:theme", () => this.recolour());
    }

    show(body) {
      this.body = body;
      this.series.setData(candles(body));
      if (this.cone) this.series.detachPrimitive(this.cone);
      this.cone = new HindcastCone(body, () => this.colours);
      this.series.attachPrimitive(this.cone);
      this.figure.querySelector("[data-chart-past]").hidden = body.past.length === 0;
      this.tell(undefined);
    }

    tell(session) {
      this.figure.querySelector("[data-chart-readout]").textContent = readout(this.body, session ?? this.body.sessions.at(-1));
    }

    showRange(chosen) {
      for (const button of this.buttons) button.setAttribute("aria-pressed", String(button === chosen));
      const { sessions, future } = this.body;
      const count = chosen.dataset.range === "all" ? sessions.length : Number(chosen.dataset.range);
      const to = sessions.length + future.length - 1 + ROOM_AFTER;
      this.chart.timeScale().setVisibleLogicalRange({ from: Math.max(0, sessions.length - count), to });
    }

    recolour() {
      this.colours = readColours();
      this.chart.applyOptions(chartOptions(this.colours));
      this.series.applyOptions(candleOptions(this.colours, this.body.decimals));
    }
  }

  async function arrays(holder) {
    const answer = await fetch(holder.dataset.chartUrl);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer.json();
  }

  async function start(holder) {
    const wait = holder.querySelector("[data-chart-wait]");
    try {
      const drawn = new PriceChart(holder, await arrays(holder));
      holder.dataset.drawn = "";
      document.addEventListener("hindcast:refreshed", async () => drawn.show(await arrays(holder)));
    } catch {
      wait.textContent = "The chart could not be drawn. The figures stand in the table below; reload the page to try again.";
      holder.replaceChildren(wait);
    }
  }

  for (const holder of document.querySelectorAll("[data-chart]")) start(holder);
})();
