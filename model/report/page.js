"use strict";
const svgNS = "http://www.w3.org/2000/svg";
const hue = (e, n) => Math.round(360 * e / n + 137.5 * (e % 2));
const percent = v => (100 * v).toFixed(1) + " %";
function svg(name, attrs, parent, title) {
  const el = document.createElementNS(svgNS, name);
  for (const k in attrs) el.setAttribute(k, attrs[k]);
  if (title !== undefined) svg("title", {}, el).textContent = title;
  if (parent) parent.appendChild(el);
  return el;
}
function text(parent, x, y, s, anchor) {
  svg("text", {x, y, class: "axis", "text-anchor": anchor || "middle"}, parent).textContent = s;
}
function node(name, cls, parent, s) {
  const el = document.createElement(name);
  if (cls) el.className = cls;
  if (s !== undefined) el.textContent = s;
  if (parent) parent.appendChild(el);
  return el;
}
function bars(box, data, column) {
  box.replaceChildren();
  const layer = data.layers[column], n = layer.experts, even = 1 / n;
  const top = Math.max(2 * even, ...data.labels.map(l => Math.max(...l.share[column])));
  const step = 320 / n, width = Math.max(1, step - Math.min(3, step / 4)), every = Math.ceil(n / 12);
  for (const l of data.labels) {
    const fig = node("figure", "", box);
    node("figcaption", "", fig, l.name);
    const s = svg("svg", {viewBox: "0 0 340 116", role: "img", "aria-label": "share by expert: " + l.name}, fig);
    l.share[column].forEach((v, e) => {
      const h = 92 * v / top;
      svg("rect", {x: 10 + e * step, y: 98 - h, width, height: h, rx: 1.5, class: v > 2 * even ? "over" : ""}, s, "expert " + e + ": " + percent(v));
      if (e % every == 0 || n <= 16) text(s, 10 + e * step + width / 2, 112, e);
    });
    svg("line", {x1: 8, x2: 332, y1: 98 - 92 * even / top, y2: 98 - 92 * even / top}, s);
  }
}
function matrix(box, data, column, kind) {
  box.replaceChildren();
  const m = data.matrices[column][kind];
  if (!m) { node("p", "muted", box, "there is no next layer"); return; }
  const rows = m.rows.length, cols = m.cols.length, cell = 600 / Math.max(rows, cols), every = Math.ceil(Math.max(rows, cols) / 32);
  const s = svg("svg", {viewBox: "0 0 " + (30 + cols * cell) + " " + (20 + rows * cell)}, box);
  m.rows.forEach((i, y) => { if (y % every == 0) text(s, 24, 20 + y * cell + cell / 2 + 3, i, "end"); });
  m.cols.forEach((j, x) => { if (x % every == 0) text(s, 30 + x * cell + cell / 2, 14, j); });
  m.rows.forEach((i, y) => m.cols.forEach((j, x) => {
    const v = m.p[y][x], same = kind == "together" && i == j;
    svg("rect", {x: 30 + x * cell, y: 20 + y * cell, width: cell - 1, height: cell - 1, style: "--v:" + (same ? 0 : 100 * v).toFixed(1) + "%"}, s,
      same ? "expert " + i : "of the tokens of expert " + i + ", " + percent(v) + " have " + j + (kind == "next" ? " in the next layer" : ""));
  }));
}
function detail(box, data, span) {
  const t = data.tokens[span.dataset.t];
  box.replaceChildren();
  node("h4", "", box, span.textContent);
  node("p", "muted", box, "token " + t.id + ", position " + t.pos + (t.lp === undefined ? "" : ", next token's log-probability " + t.lp.toFixed(2)));
  const body = node("tbody", "", node("table", "", box));
  t.e.forEach((ids, c) => {
    const row = node("tr", "", body);
    node("td", "", row, "layer " + data.layers[c].layer);
    const cell = node("td", "", row);
    ids.forEach((e, j) => {
      const chip = node("span", "chip", cell, String(e));
      chip.style.setProperty("--h", hue(e, data.layers[c].experts));
      node("small", "", chip, t.w[c][j].toFixed(2));
    });
  });
}
function trace(article) {
  const data = JSON.parse(article.querySelector(".data").textContent), $ = s => article.querySelector(s);
  const onLayer = (select, f) => { const el = $(select), go = () => f(Number(el.value)); el.addEventListener("change", go); go(); };
  onLayer(".layer-bars", c => bars($(".bars"), data, c));
  const kind = $(".kind-matrix"), of = $(".layer-matrix");
  const redraw = () => matrix($(".matrix"), data, Number(of.value), kind.value);
  kind.addEventListener("change", redraw); of.addEventListener("change", redraw); redraw();
  const texts = $(".texts");
  onLayer(".layer-tokens", c => {
    for (const span of texts.querySelectorAll("span[data-t]")) {
      const first = data.tokens[span.dataset.t].e[c][0];
      span.style.setProperty("--h", first === undefined ? 0 : hue(first, data.layers[c].experts));
    }
  });
  let on;
  const choose = span => {
    if (on) on.classList.remove("on");
    (on = span).classList.add("on");
    detail($(".detail"), data, span);
  };
  for (const event of ["mouseover", "focusin"]) texts.addEventListener(event, ev => {
    const span = ev.target.closest("span[data-t]");
    if (span) choose(span);
  });
  const first = texts.querySelector('span[data-t="' + (Number(location.hash.slice(2)) || 0) + '"]') || texts.querySelector("span[data-t]");
  if (first) choose(first);
}
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme == "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
document.querySelectorAll("article.trace").forEach(trace);
document.documentElement.dataset.ready = "yes";
