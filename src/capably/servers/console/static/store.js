// What the page knows: what is served, the numbers of calls, and who wants to hear when they change.

export const store = {
  overview: null,
  pulse: null,
  samples: [], // {at, counts, failed}: the numbers of calls, one every few seconds
};

const hearing = new Set();

/** Calls a function whenever the pulse brings something; gives what ends that. */
export function onPulse(hear) {
  hearing.add(hear);
  return () => hearing.delete(hear);
}

/** Tells everybody who listens. */
export function tellPulse() {
  for (const hear of [...hearing]) hear(store.pulse);
}

/** All servers, each with its document. */
export function servers(overview = store.overview) {
  return overview.documents.flatMap((document) => document.servers.map((server) => ({ ...server, document })));
}

/** The server and operation of an address: [namespace, key]. */
export function operationOf(overview, [namespace, key]) {
  const server = servers(overview).find((item) => item.namespace === namespace);
  const operation = server?.operations.find((item) => item.key === key);
  return operation ? { server, operation } : null;
}

/** The address of an operation's page. */
export function callAddress(server, operation) {
  return `#/call/${encodeURIComponent(server.namespace)}/${encodeURIComponent(operation.key)}`;
}

/** The address of a line of a document. */
export function lineAddress(file, line) {
  return `#/document/${encodeURIComponent(file)}/${line}`;
}
