// Draws the price chart of a stock page from the server's arrays.
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
  const BARS_AFTER_CONE = 2;
  const KIND_LABELS = { live: "forecast from", late: "late forecast from", hindcast: "backtest forecast from" };

  // Resolves the colour tokens for the current theme.
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

  // Formats a date as the server does: Thu 21 Sep 2023.
  function day(iso) {
    const parts = Object.fromEntries(DAY.formatToParts(new Date(`${iso}T00:00Z`)).map(({ type, value }) => [type, value]));
    return `${parts.weekday} ${parts.day} ${parts.month} ${parts.year}`;
  }

  // Text of the line above the chart for the date under the pointer.
  function readout(body, session) {
    const money = new Intl.NumberFormat("en", { style: "currency", currency: body.currency, minimumFractionDigits: body.decimals });
    const forecast = body.cone.find((point) => point.session === session);
    if (forecast) {
      return `${day(session)}  forecast ${money.format(forecast.predicted)}, 80% range ${money.format(forecast.lower_80)} to ${money.format(forecast.upper_80)}, 95% range ${money.format(forecast.lower_95)} to ${money.format(forecast.upper_95)}`;
    }
    const row = body.sessions.indexOf(session);
    if (row < 0) return `${day(session)}  no forecast for this date`;
    const [open, high, low, close] = ["open", "high", "low", "close"].map((name) => money.format(body[name][row]));
    const earlier = body.past.find((point) => point.session === session);
    const past = earlier ? `, ${KIND_LABELS[earlier.kind]} ${day(earlier.origin)}: ${money.format(earlier.price)}` : "";
    return `${day(session)}  open ${open}, high ${high}, low ${low}, close ${close} (${body.source})${past}`;
  }

  // A drawn chart whose data, range and colours can change.
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
      this.chart.subscribeCrosshairMove((move) => this.showReadout(move.time));
      document.addEventListener("hindcast:theme", () => this.recolour());
    }

    show(body) {
      this.body = body;
      this.series.setData(candles(body));
      if (this.cone) this.series.detachPrimitive(this.cone);
      this.cone = new HindcastCone(body, () => this.colours);
      this.series.attachPrimitive(this.cone);
      this.figure.querySelector("[data-chart-past]").hidden = body.past.length === 0;
      this.showReadout(undefined);
    }

    showReadout(session) {
      this.figure.querySelector("[data-chart-readout]").textContent = readout(this.body, session ?? this.body.sessions.at(-1));
    }

    showRange(chosen) {
      for (const button of this.buttons) button.setAttribute("aria-pressed", String(button === chosen));
      const { sessions, future } = this.body;
      const count = chosen.dataset.range === "all" ? sessions.length : Number(chosen.dataset.range);
      const to = sessions.length + future.length - 1 + BARS_AFTER_CONE;
      this.chart.timeScale().setVisibleLogicalRange({ from: Math.max(0, sessions.length - count), to });
    }

    recolour() {
      this.colours = readColours();
      this.chart.applyOptions(chartOptions(this.colours));
      this.series.applyOptions(candleOptions(this.colours, this.body.decimals));
    }
  }

  async function fetchBody(holder) {
    const response = await fetch(holder.dataset.chartUrl);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return response.json();
  }

  async function start(holder) {
    const notice = holder.querySelector("[data-chart-notice]");
    try {
      const drawn = new PriceChart(holder, await fetchBody(holder));
      holder.dataset.drawn = "";
      document.addEventListener("hindcast:refreshed", async () => drawn.show(await fetchBody(holder)));
    } catch {
      notice.textContent = "The chart could not be loaded. The table below shows the figures; reload the page to try again.";
      holder.replaceChildren(notice);
    }
  }

  for (const holder of document.querySelectorAll("[data-chart]")) start(holder);
})();
