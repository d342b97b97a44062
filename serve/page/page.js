"use strict";
const $ = id => document.getElementById(id);
const turns = []; // {role, content}
let heat = []; // [layer][expert] tokens
let stop = null; // AbortController of the answer at work

function headers() {
  const h = { "Content-Type": "application/json" };
  if ($("key").value) h.Authorization = "Bearer " + $("key").value;
  return h;
}

async function models() {
  const answer = await fetch("/v1/models", { headers: headers() });
  if (!answer.ok) return;
  const list = (await answer.json()).data;
  $("model").replaceChildren(...list.map(m => new Option(m.id, m.id)));
}

function show(role, text) {
  const box = document.createElement("div"), name = document.createElement("b"), body = document.createElement("span");
  box.className = "turn " + role;
  name.textContent = { user: "You", assistant: "Model", error: "Error" }[role];
  body.textContent = text;
  box.append(name, body);
  $("turns").append(box);
  box.scrollIntoView({ block: "end" });
  return body;
}

function request() {
  const number = id => ($(id).value === "" ? undefined : Number($(id).value));
  const messages = turns.map(t => ({ role: t.role, content: t.content }));
  if ($("system").value) messages.unshift({ role: "system", content: $("system").value });
  return {
    model: $("model").value, messages, stream: true, routing: "live",
    temperature: number("temperature"), top_p: number("top_p"), max_tokens: number("max_tokens"), seed: number("seed"),
    gate: $("gate").value || undefined,
  };
}

// events yields the JSON of a stream of server-sent events.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held += value;
    const parts = held.split("\n\n");
    held = parts.pop();
    for (const part of parts) {
      if (!part.startsWith("data: ")) continue;
      if (part === "data: [DONE]") return;
      yield JSON.parse(part.slice(6));
    }
  }
}

async function ask(text) {
  turns.push({ role: "user", content: text });
  show("user", text);
  stop = new AbortController();
  busy(true);
  let body = null, answer = "";
  try {
    const response = await fetch("/v1/chat/completions", { method: "POST", headers: headers(), body: JSON.stringify(request()), signal: stop.signal });
    if (!response.ok) throw new Error((await response.json()).error.message);
    body = show("assistant", "");
    let first = 0, count = 0;
    for await (const chunk of events(response.body)) {
      if (chunk.error) throw new Error(chunk.error.message);
      const choice = chunk.choices[0];
      if (!choice) continue;
      if (choice.delta.content) {
        answer += choice.delta.content;
        body.textContent = answer;
        body.parentElement.scrollIntoView({ block: "end" });
      }
      if (choice.experts) warm(choice.experts);
      if (choice.tokens) {
        const now = performance.now();
        if (!first) first = now; else count += choice.tokens;
        if (count > 0) $("speed").textContent = `${(1000 * count / Math.max(now - first, 1)).toFixed(1)} tokens/s`;
      }
    }
  } catch (e) {
    if (e.name !== "AbortError") show("error", e.message);
  }
  if (answer) turns.push({ role: "assistant", content: answer });
  else turns.pop();
  busy(false);
}

function busy(on) {
  $("send").disabled = on;
  $("stop").disabled = !on;
  $("turns").setAttribute("aria-busy", on);
  if (!on) { stop = null; summary(); $("question").focus(); }
}

// warm adds counts, one object of expert: tokens a layer, and draws.
function warm(layers) {
  layers.forEach((counts, i) => {
    heat[i] ??= [];
    for (const [expert, n] of Object.entries(counts)) heat[i][expert] = (heat[i][expert] || 0) + n;
  });
  draw();
}

function draw() {
  const rows = heat.length, cols = Math.max(1, ...heat.map(r => r.length));
  const canvas = $("heat"), cell = Math.max(4, Math.floor(720 / cols));
  canvas.width = cols * cell;
  canvas.height = Math.max(1, rows) * cell;
  const pen = canvas.getContext("2d");
  heat.forEach((row, y) => {
    const top = Math.max(1, ...row.filter(Boolean));
    for (let x = 0; x < cols; x++) {
      const v = (row[x] || 0) / top;
      pen.fillStyle = `hsl(${265 - 215 * v} 85% ${8 + 58 * v}%)`;
      pen.fillRect(x * cell, y * cell, cell - 1, cell - 1);
    }
  });
}

// summary says in words what the picture shows.
function summary() {
  const busiest = heat.map((row, i) => {
    let best = 0;
    row.forEach((n, e) => { if (n > (row[best] || 0)) best = e; });
    return `layer ${i}: expert ${best}`;
  });
  $("heat-summary").textContent = busiest.length ? "Busiest: " + busiest.join(", ") + "." : "";
}

$("ask").addEventListener("submit", e => {
  e.preventDefault();
  const text = $("question").value.trim();
  if (!text || stop) return;
  $("question").value = "";
  ask(text);
});
$("question").addEventListener("keydown", e => {
  if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); $("ask").requestSubmit(); }
});
document.addEventListener("keydown", e => { if (e.key === "Escape" && stop) stop.abort(); });
$("stop").addEventListener("click", () => stop && stop.abort());
$("clear").addEventListener("click", () => {
  turns.length = 0; heat = [];
  $("turns").replaceChildren(); $("speed").textContent = "";
  draw(); summary(); $("question").focus();
});
$("key").addEventListener("change", models);
models();
draw();
$("question").focus();
