// The chart of a symbol: the price, what was predicted for each moment, and the prediction now.
//
// Chart.js comes from the installed package django-unfold, whose admin draws with it as well: nothing is vendored, and
// its version moves with the pin (docs/adr/0015).

/* global Chart */

import { byId } from "./dom.js";
import * as format from "./format.js";
import { runsOf } from "./outcomes.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

export class PriceChart {
  #canvas = byId("chart");
  #chart = null;
  #drawn = null;

  constructor() {
    dark.addEventListener("change", () => this.#repaint());
  }

  /** Draws points (oldest first) with what came of them. */
  draw(points, outcomes) {
    this.#drawn = series(points, outcomes);
    if (!this.#chart) this.#make();
    const { data } = this.#chart;
    data.labels = this.#drawn.labels;
    data.datasets[0].data = this.#drawn.prices;
    data.datasets[1].data = this.#drawn.predicted;
    data.datasets[2].data = this.#drawn.next;
    this.#chart.update("none");
  }

  #make() {
    const line = { borderWidth: 1.75, pointRadius: 0, pointHoverRadius: 4, pointHitRadius: 8, tension: 0 };
    const config = {
      type: "line",
      data: {
        labels: [],
        datasets: [
          { ...line, label: "What happened", data: [] },
          { ...line, label: "Predicted for then", data: [], borderDash: [4, 3] },
          { ...line, label: "Predicted now", data: [], showLine: false, pointRadius: 5, pointStyle: "rectRot" },
        ],
      },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        layout: { padding: { right: 8, top: 4 } },
        plugins: {
          // Colours are the page's, of both themes.
          colors: { enabled: false },
          legend: { display: false },
          tooltip: {
            displayColors: false,
            callbacks: {
              title: ([item]) => this.#drawn.titles[item.dataIndex],
              label: (item) => `${item.dataset.label}: ${format.price(item.parsed.y)}`,
              footer: ([item]) => this.#drawn.errors[item.dataIndex],
            },
          },
        },
        scales: {
          x: { grid: { display: false }, ticks: { maxTicksLimit: 5, maxRotation: 0, autoSkipPadding: 24 } },
          y: { ticks: { maxTicksLimit: 6, callback: (value) => format.price(value) }, border: { display: false } },
        },
      },
    };
    // Before it is made: Chart.js keeps what it has found out about points, colours among it.
    this.#paint(config);
    this.#chart = new Chart(this.#canvas, config);
  }

  #repaint() {
    if (!this.#chart) return;
    this.#paint(this.#chart);
    this.#chart.update();
  }

  #paint({ data, options }) {
    const styles = getComputedStyle(document.body);
    const color = (name) => styles.getPropertyValue(name).trim();
    const [price, predicted, next] = data.datasets;
    const { scales, plugins } = options;
    price.borderColor = price.backgroundColor = color("--price");
    predicted.borderColor = predicted.backgroundColor = color("--predicted");
    next.pointBorderColor = next.pointBackgroundColor = color("--predicted");
    options.font = { family: styles.fontFamily, size: 12 };
    for (const scale of [scales.x, scales.y]) {
      scale.ticks.color = color("--muted");
      scale.ticks.font = { family: styles.fontFamily, size: 12 };
    }
    scales.x.border = { color: color("--line") };
    scales.y.grid = { color: color("--line"), drawTicks: false };
    Object.assign(plugins.tooltip, {
      backgroundColor: color("--text"),
      titleColor: color("--surface"),
      bodyColor: color("--surface"),
      footerColor: color("--surface"),
      footerFont: { weight: "normal" },
      titleFont: { family: styles.fontFamily },
      bodyFont: { family: styles.fontFamily },
      padding: 10,
    });
  }
}

/** One place for each point, one between two runs of a replay, and one for what is not known yet. */
function series(points, outcomes) {
  const drawn = { labels: [], titles: [], prices: [], predicted: [], next: [], errors: [] };
  const place_of = [];
  const add = (label, price, title = label) => {
    drawn.labels.push(label);
    drawn.titles.push(title);
    drawn.prices.push(price);
    drawn.predicted.push(null);
    drawn.next.push(null);
    drawn.errors.push("");
    return drawn.labels.length - 1;
  };
  for (const { start, end } of runsOf(points)) {
    if (start > 0) add("", null, "The replay begins again");
    for (let index = start; index < end; index++) {
      place_of[index] = add(format.marketTime(points[index].as_of_ms), points[index].current);
    }
  }
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome?.index === undefined) continue;
    const place = place_of[outcome.index];
    const error = points[index].predicted - outcome.price;
    drawn.predicted[place] = points[index].predicted;
    drawn.errors[place] = `Off by ${format.signedPrice(error)} (${format.signedPercent(error / outcome.price)})`;
  }
  const newest = points.at(-1);
  if (newest) {
    const place = add(`+ ${newest.horizon}`, null, `In ${newest.horizon}`);
    drawn.next[place] = newest.predicted;
  }
  return drawn;
}
