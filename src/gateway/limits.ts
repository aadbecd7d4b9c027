/** The bounds of the gateway. Each keeps one lane from costing another anything: bytes, milliseconds, counts. */

/** Bytes of request line and header fields together. */
export const headerBytes = 16 * 1024;
/** Header fields of one request; Node would otherwise hide those past its own count, a second Host among them. */
export const headerFields = 200;
/** Milliseconds from the first byte (or from accept) to the end of the header: slow-header attacks. */
export const headerTime = 10_000;
/** Milliseconds in which a whole request, its body included, must have arrived. */
export const requestTime = 600_000;
/** Milliseconds that an idle kept-alive connection is held. */
export const idleTime = 60_000;
/** Connections of one lane at once. */
export const laneConnections = 128;
/** File descriptors that one lane can come to hold: its connections, and one upstream for each. */
export const laneDescriptors = 2 * laneConnections + 16;
/** Bytes of one request's body. */
export const requestBytes = 256 * 1024 ** 2;
/** Bytes of one response's body, and of a tunnel in each direction. */
export const responseBytes = 2 * 1024 ** 3;
/** Milliseconds to open an upstream connection. */
export const connectTime = 10_000;
/** Milliseconds without a byte from upstream. A model may think for long before its first one. */
export const upstreamSilence = 600_000;
/** Milliseconds between two words to the daemon that bytes of a model's answer come in. */
export const progressTime = 1000;
/** Milliseconds without a byte in either direction of a tunnel. */
export const tunnelSilence = 600_000;
/** Milliseconds in which a tunnel's client must have said what it speaks. */
export const helloTime = 10_000;
/** Bytes in which a TLS ClientHello must be whole. */
export const helloBytes = 16 * 1024;
/** Milliseconds for the resolver. */
export const resolveTime = 5_000;
/** Milliseconds that a checked set of addresses is used again. */
export const resolveAge = 5_000;
/** Lookups of one lane at once: the resolver's threads are shared with every other lane. */
export const laneLookups = 2;
/** Upstream pools of one lane that are kept open. */
export const lanePools = 64;
/** Bytes of a verb's body. */
export const verbBytes = 256 * 1024;
/** Nesting of a verb's JSON. */
export const verbDepth = 32;
/** Milliseconds in which a verb's body must have arrived. */
export const verbBodyTime = 30_000;
/** Milliseconds for the daemon to answer a verb. */
export const verbTime = 60_000;
/** Verb calls of one lane, in all and at once. */
export const laneVerbs = 200;
export const laneVerbsAtOnce = 4;
/** Denials recorded one by one after the request budget is used up; what comes after is counted. */
export const recordedOverBudget = 100;
/** Milliseconds that an answer waits once a lane's budget is used up, so that a flood of refused calls stays cheap. */
export const overBudgetDelay = 100;
/** Events handed to the daemon and not yet written to its channel; deciding waits above it. */
export const eventBacklog = 1000;
/** Events in one message to the daemon, and milliseconds that the first of them waits for others. */
export const eventBatch = 64;
export const eventDelay = 5;
/** Characters of a url in an event. */
export const eventUrl = 2048;
/** Hosts of one lane whose certificates are kept. */
export const leafContexts = 256;
/** Milliseconds for a client to finish the TLS handshake with the gateway. */
export const handshakeTime = 10_000;
/** Milliseconds for upstream to answer a WebSocket's handshake. */
export const webSocketAnswer = 30_000;
/** Bytes of a request to a model. */
export const modelBytes = 16 * 1024 ** 2;
/** Bytes of such requests that one lane can have in work at once. */
export const laneModelBytes = 32 * 1024 ** 2;
/** Nesting of such a request's JSON. */
export const modelDepth = 128;
/** Brackets, keys and strings in it. */
export const modelParts = 1_000_000;
/** Milliseconds in which such a request's body must have arrived. */
export const modelBodyTime = 60_000;
/** Bytes of one event of an answer, or of an answer that is no stream, that are read for the usage in it. */
export const usageBytes = 16 * 1024 ** 2;
