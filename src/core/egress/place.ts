/** Without the brackets of IPv6, if it has them. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

/** Of an https URL, which leaves out the port of its scheme. */
export function portOf({ port }: { readonly port: string }): number {
  return port === '' ? 443 : Number(port);
}
