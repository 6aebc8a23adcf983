// Each scenario talks to the server at BASE_URL with a client as it is installed, and prints what it got as JSON.

import { createOpenAI } from "@ai-sdk/openai";
import { HumanMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";

const baseURL = process.env.BASE_URL;
const apiKey = "none";
const model = "aoi";

const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const ai = createOpenAI({ baseURL, apiKey });
const langchain = new ChatOpenAI({ model, apiKey, maxRetries: 0, configuration: { baseURL } });
const weather = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
};
const image = "data:image/png;base64,iVBORw0KGgo=";

async function failed(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code, param: error.param };
  }
}

const scenarios = {
  async "openai-models"() {
    return (await client.models.list()).data.map((one) => one.id);
  },
  async "openai-chat"() {
    const reply = await client.chat.completions.create({ model, messages: [{ role: "user", content: "Hello" }] });
    return { text: reply.choices[0].message.content, reason: reply.choices[0].finish_reason, usage: reply.usage };
  },
  async "openai-stream"() {
    const stream = await client.chat.completions.create({
      model,
      messages: [{ role: "user", content: "Hello" }],
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let usage = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      usage = chunk.usage ?? usage;
    }
    return { text, usage };
  },
  async "openai-tools"() {
    const messages = [{ role: "user", content: "How is the weather?" }];
    const first = await client.chat.completions.create({ model, messages, tools: [weather] });
    const call = first.choices[0].message.tool_calls[0];
    messages.push(first.choices[0].message, { role: "tool", tool_call_id: call.id, content: "rain" });
    const second = await client.chat.completions.create({ model, messages, tools: [weather] });
    return { name: call.function.name, text: second.choices[0].message.content };
  },
  async "openai-image"() {
    const content = [
      { type: "text", text: "What is this?" },
      { type: "image_url", image_url: { url: image } },
    ];
    const reply = await client.chat.completions.create({ model, messages: [{ role: "user", content }] });
    return reply.choices[0].message.content;
  },
  async "openai-errors"() {
    const messages = [{ role: "user", content: "Hello" }];
    return [
      await failed(() => client.chat.completions.create({ model: "nobody", messages })),
      await failed(() => client.chat.completions.create({ model, messages, n: 2 })),
    ];
  },
  async "openai-abort"() {
    const stream = await client.chat.completions.create({
      model,
      messages: [{ role: "user", content: "Tell" }],
      stream: true,
    });
    let text = "";
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      if (text === "Once upon ") stream.controller.abort();
    }
    return text;
  },
  async "openai-responses"() {
    const first = await client.responses.create({ model, input: "One" });
    const second = await client.responses.create({ model, input: "Two", previous_response_id: first.id });
    const stream = await client.responses.create({ model, input: "Three", previous_response_id: second.id, stream: true });
    let text = "";
    for await (const event of stream) if (event.type === "response.output_text.delta") text += event.delta;
    return [first.output_text, second.output_text, text];
  },
  async "ai-sdk-generate"() {
    const { text, usage, finishReason } = await generateText({ model: ai(model), prompt: "Hello" });
    return { text, tokens: usage.outputTokens, reason: finishReason };
  },
  async "ai-sdk-stream"() {
    const result = streamText({ model: ai(model), prompt: "Hello" });
    let text = "";
    for await (const piece of result.textStream) text += piece;
    return { text, reason: await result.finishReason };
  },
  async "ai-sdk-tools"() {
    const city = jsonSchema({ type: "object", properties: { city: { type: "string" } } });
    const tools = { weather: tool({ description: "", inputSchema: city, execute: async () => "rain" }) };
    const prompt = "How is the weather?";
    const result = await generateText({ model: ai(model), prompt, tools, stopWhen: stepCountIs(3) });
    return { steps: result.steps.length, text: result.text };
  },
  async "ai-sdk-history"() {
    const messages = [{ role: "user", content: "One" }];
    const first = await generateText({ model: ai(model), messages });
    messages.push(...first.response.messages, { role: "user", content: "Two" });
    const second = await generateText({ model: ai(model), messages });
    return [first.text, second.text];
  },
  async "ai-sdk-chat"() {
    const { text } = await generateText({ model: ai.chat(model), prompt: "Hello" });
    return text;
  },
  async "langchain-invoke"() {
    const reply = await langchain.invoke([new HumanMessage("Hello")]);
    return { text: reply.content, tokens: reply.usage_metadata?.output_tokens };
  },
  async "langchain-stream"() {
    let text = "";
    for await (const chunk of await langchain.stream([new HumanMessage("Hello")])) text += chunk.content;
    return text;
  },
  async "langchain-tools"() {
    const reply = await langchain.bindTools([weather]).invoke([new HumanMessage("How is the weather?")]);
    return reply.tool_calls.map((call) => [call.name, call.args]);
  },
};

console.log(JSON.stringify((await scenarios[process.argv[2]]()) ?? null));
