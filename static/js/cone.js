// Chart primitive: the forecast cone, the "now" line and past forecasts.
(() => {
  const DOT = 3;
  const TICK = 2;

  // Corner points of a band between two price fields, out along the top and back along the bottom, in pixels.
  function band(points, upper, lower) {
    const back = [...points].reverse();
    return [...points.map((p) => [p.x, p[upper]]), ...back.map((p) => [p.x, p[lower]])];
  }

  function fill(context, corners, colour) {
    context.beginPath();
    corners.forEach(([x, y], i) => (i === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    context.closePath();
    context.fillStyle = colour;
    context.fill();
  }

  function line(context, points, colour, dash) {
    context.beginPath();
    context.setLineDash(dash);
    points.forEach(([x, y], i) => (i === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    context.strokeStyle = colour;
    context.stroke();
    context.setLineDash([]);
  }

  function dot(context, x, y, radius, colour) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.fill();
  }

  function tick(context, forecast, colours) {
    const { x, y, inside } = forecast;
    context.lineWidth = 1.5;
    if (inside) {
      dot(context, x, y, TICK, colours.forecastInk);
      return;
    }
    line(context, [[x - TICK, y - TICK], [x + TICK, y + TICK]], colours.down, []);
    line(context, [[x - TICK, y + TICK], [x + TICK, y - TICK]], colours.down, []);
  }

  class Renderer {
    constructor(view) {
      this.view = view;
    }

    draw(target) {
      target.useMediaCoordinateSpace(({ context, mediaSize }) => {
        const { cone, past, now, colours } = this.view.coordinates();
        past.forEach((forecast) => tick(context, forecast, colours));
        if (cone.length < 2) return;
        fill(context, band(cone, "upper_95", "lower_95"), colours.forecast95);
        fill(context, band(cone, "upper_80", "lower_80"), colours.forecast80);
        context.lineWidth = 2;
        line(context, cone.map((p) => [p.x, p.predicted]), colours.forecast, []);
        cone.slice(1).forEach((p) => dot(context, p.x, p.predicted, DOT, colours.forecast));
        context.lineWidth = 1;
        line(context, [[now, 0], [now, mediaSize.height]], colours.quiet, [2, 3]);
      });
    }
  }

  class View {
    constructor(source) {
      this.source = source;
    }

    zOrder() {
      return "top";
    }

    renderer() {
      return new Renderer(this);
    }

    // Converts dates and prices into pixels; omits points outside the time scale.
    coordinates() {
      const { chart, series, body, colours } = this.source;
      const x = (session) => chart.timeScale().timeToCoordinate(session);
      const y = (price) => series.priceToCoordinate(price);
      const toPixels = (point) => ({
        x: x(point.session),
        ...Object.fromEntries(PRICES.map((name) => [name, y(point[name])])),
      });
      const cone = conePoints(body).map(toPixels).filter((p) => p.x !== null && p.predicted !== null);
      const past = body.past
        .map((forecast) => ({ x: x(forecast.session), y: y(forecast.price), inside: forecast.inside }))
        .filter((forecast) => forecast.x !== null && forecast.y !== null);
      return { cone, past, now: cone.length ? cone[0].x : null, colours: colours() };
    }
  }

  const PRICES = ["lower_95", "lower_80", "predicted", "upper_80", "upper_95"];

  // The cone starts at the last known close, where every interval has width zero.
  function conePoints(body) {
    if (!body.cone.length) return [];
    const row = body.sessions.indexOf(body.origin);
    if (row < 0) return [];
    const close = body.close[row];
    const tip = { session: body.origin, ...Object.fromEntries(PRICES.map((name) => [name, close])) };
    return [tip, ...body.cone];
  }

  // The primitive that lightweight-charts attaches to the candles.
  class ForecastCone {
    constructor(body, colours) {
      this.body = body;
      this.colours = colours;
      this.views = [new View(this)];
    }

    attached({ chart, series, requestUpdate }) {
      this.chart = chart;
      this.series = series;
      this.requestUpdate = requestUpdate;
    }

    paneViews() {
      return this.views;
    }

    // Extends the price scale to the cone while part of it is visible.
    autoscaleInfo(first, last) {
      const start = this.body.sessions.length - 1;
      if (!this.body.cone.length || last < start || first > start + this.body.future.length) return null;
      const shown = this.body.cone;
      return {
        priceRange: {
          minValue: Math.min(...shown.map((p) => p.lower_95)),
          maxValue: Math.max(...shown.map((p) => p.upper_95)),
        },
      };
    }
  }

  window.HindcastCone = ForecastCone;
})();
