/** The one-time token of the address `imfine up` prints. Taken out of the address bar (and the history) as soon as this
 * module is read, before the router looks at the address. */

function take(): string | null {
  const address = new URL(window.location.href);
  const token = address.searchParams.get("token");
  if (token === null) return null;
  address.searchParams.delete("token");
  window.history.replaceState(window.history.state, "", address);
  return token;
}

export const urlToken: string | null = take();
