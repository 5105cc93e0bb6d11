/**
 * `node:http`. To import it as a module reads everything that it exports, the WebSocket of Undici with it, which takes
 * 13 MB of memory for nothing; a server that lends little else than leases lives on 150.
 */
export const http = process.getBuiltinModule('node:http');
