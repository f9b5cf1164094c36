// The story of openai_story.py, told by the SDK of OpenAI for JavaScript: `node openai_story.mjs URL`.
// OPENAI_API_KEY has the key, OPENAI_SDK the folder of the package, which stands in none that is looked into by itself.
const { default: OpenAI, NotFoundError } = await import(`${process.env.OPENAI_SDK}/index.mjs`);

const client = new OpenAI({ baseURL: process.argv[2], maxRetries: 0 });
const { assistants, threads } = client.beta;
const { runs } = threads;
const LOOK_UP = {
  type: "function",
  function: {
    name: "look_up",
    parameters: { type: "object", properties: { word: { type: "string" } }, required: ["word"] },
  },
};

const asked = (text) => threads.create({ messages: [{ role: "user", content: text }] });
const textOf = (message) => message.content[0].text.value;

async function polled(assistant) {
  const thread = await asked("hi");
  const run = await runs.createAndPoll(thread.id, { assistant_id: assistant.id });
  const messages = await threads.messages.list(thread.id, { order: "asc" });
  return [run.status, messages.data.map(textOf), run.usage.total_tokens];
}

async function streamed(assistant) {
  const thread = await asked("hi");
  const stream = runs.stream(thread.id, { assistant_id: assistant.id });
  const names = [];
  for await (const event of stream) names.push(event.event);
  const [message] = await stream.finalMessages();
  return [names, textOf(message)];
}

async function called(assistant) {
  const thread = await asked("look it up");
  let run = await runs.createAndPoll(thread.id, { assistant_id: assistant.id });
  const [call] = run.required_action.submit_tool_outputs.tool_calls;
  const told = [run.status, call.function.name, JSON.parse(call.function.arguments)];
  const tool_outputs = [{ tool_call_id: call.id, output: "a place for ships" }];
  run = await runs.submitToolOutputsAndPoll(run.id, { thread_id: thread.id, tool_outputs });
  const steps = await runs.steps.list(run.id, { thread_id: thread.id, order: "asc" });
  const [reply] = (await threads.messages.list(thread.id)).data;
  return [...told, run.status, steps.data.map((step) => step.type), textOf(reply)];
}

async function calledInAStream(assistant) {
  const thread = await asked("look it up");
  const stream = runs.stream(thread.id, { assistant_id: assistant.id });
  let pieces = 0;
  for await (const event of stream) pieces += event.event === "thread.run.step.delta";
  const [step] = await stream.finalRunSteps();
  const [call] = step.step_details.tool_calls;
  const tool_outputs = [{ tool_call_id: call.id, output: "a place for ships" }];
  const rest = runs.submitToolOutputsStream(step.run_id, { thread_id: thread.id, tool_outputs });
  let text = "";
  rest.on("textDelta", (delta) => (text += delta.value));
  await rest.done();
  return [pieces > 1, call.function.name, JSON.parse(call.function.arguments), text];
}

async function cancelled(assistant) {
  const thread = await asked("take your time");
  const run = await runs.create(thread.id, { assistant_id: assistant.id });
  const answer = await runs.cancel(run.id, { thread_id: thread.id });
  const end = await runs.poll(run.id, { thread_id: thread.id });
  return [answer.status, end.status];
}

async function refused() {
  try {
    await threads.retrieve("thread_none");
  } catch (error) {
    if (error instanceof NotFoundError) return [error.status, error.error.message];
    throw error;
  }
  return null;
}

const plain = await assistants.create({ model: "any", instructions: "Be brief." });
const able = await assistants.create({ model: "any", tools: [LOOK_UP] });
const seen = {
  polled: await polled(plain),
  streamed: await streamed(plain),
  called: await called(able),
  called_in_a_stream: await calledInAStream(able),
  cancelled: await cancelled(plain),
  refused: await refused(),
  deleted: (await assistants.delete(able.id)).deleted,
};
console.log(JSON.stringify(seen));
