// The npm clients against a running server of the built-in model: node clients.mjs http://HOST:PORT
// Needs the packages openai, ai, @ai-sdk/openai-compatible and zod.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText, tool, Output, stepCountIs } from "ai";
import { z } from "zod";

const url = process.argv[2] + "/v1", model = "cambrian-moe-7m";
const schema = {
  type: "object", additionalProperties: false, required: ["city", "degrees"],
  properties: { city: { type: "string", maxLength: 20 }, degrees: { type: "integer" } },
};
const fits = text => {
  const v = JSON.parse(text);
  assert.equal(typeof v.city, "string");
  assert.ok(Number.isInteger(v.degrees));
};

async function openai() {
  const c = new OpenAI({ baseURL: url, apiKey: "none", maxRetries: 0 });
  const ask = { model, messages: [{ role: "user", content: "And it came to pass" }], max_completion_tokens: 60, seed: 1 };
  const whole = await c.chat.completions.create(ask);
  let text = "";
  for await (const chunk of await c.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } }))
    text += chunk.choices[0]?.delta?.content ?? "";
  assert.equal(text, whole.choices[0].message.content);
  const tools = [{ type: "function", function: { name: "weather", parameters: schema, strict: true } }];
  const called = await c.chat.completions.create({ ...ask, tools, tool_choice: "required" });
  fits(called.choices[0].message.tool_calls[0].function.arguments);
  const stream = c.chat.completions.stream({ ...ask, tools, tool_choice: "required" });
  fits((await stream.finalChatCompletion()).choices[0].message.tool_calls[0].function.arguments);
  const format = { type: "json_schema", json_schema: { name: "weather", strict: true, schema } };
  fits((await c.chat.completions.create({ ...ask, response_format: format })).choices[0].message.content);
  await assert.rejects(c.chat.completions.create({ ...ask, model: "none" }), e => e.status === 404 && e.code === "model_not_found");
  await assert.rejects(c.chat.completions.create({ ...ask, temperature: 9 }), e => e.status === 400 && e.param === "temperature");
  const answer = await c.responses.create({ model, input: "And it came to pass", max_output_tokens: 20, temperature: 0 });
  let told = "";
  for await (const e of await c.responses.create({ model, input: "And it came to pass", max_output_tokens: 20, temperature: 0, stream: true }))
    if (e.type === "response.output_text.delta") told += e.delta;
  assert.equal(told, answer.output_text);
  const endless = await c.chat.completions.create({ ...ask, max_completion_tokens: 400, stream: true });
  for await (const _ of endless) { endless.controller.abort(); break; }
  assert.ok((await c.models.list()).data.some(m => m.id === model));
}

async function aiSDK() {
  const provider = createOpenAICompatible({ name: "switchyard", baseURL: url, supportsStructuredOutputs: true });
  const ask = { model: provider(model), prompt: "My fellow citizens,", maxOutputTokens: 60, maxRetries: 0 };
  assert.ok((await generateText(ask)).text.length > 0);
  let text = "";
  for await (const part of streamText(ask).textStream) text += part;
  assert.ok(text.length > 0);
  const weather = z.object({ city: z.string().max(20), degrees: z.number().int() });
  const called = await generateText({ ...ask, tools: { weather: tool({ inputSchema: weather }) }, toolChoice: "required", stopWhen: stepCountIs(1) });
  assert.equal(called.toolCalls[0].toolName, "weather");
  weather.parse(called.toolCalls[0].input);
  const formed = await generateText({ ...ask, output: Output.object({ schema: weather }) });
  weather.parse(formed.output);
}

await openai();
console.log("openai: ok");
await aiSDK();
console.log("@ai-sdk/openai-compatible: ok");
