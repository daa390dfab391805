/** Key names and presses. Knows no command. */

export const isMac = /mac|iphone|ipad/i.test(navigator.platform);

/** Does this press mean `key` ("mod+K", "?", "Escape")? Letters match by the key's place too: with a Korean layout the K
 * key types ㅏ. */
export function matches(event: KeyboardEvent, key: string): boolean {
  const parts = key.split("+");
  const name = parts.at(-1) ?? "";
  const mod = parts.includes("mod");
  if (mod !== (isMac ? event.metaKey : event.ctrlKey)) return false;
  if (event.altKey || (isMac ? event.ctrlKey : event.metaKey)) return false;
  const letter = /^[A-Z]$/i.test(name);
  if (letter && parts.includes("shift") !== event.shiftKey) return false;
  if (letter)
    return event.key.toLowerCase() === name.toLowerCase() || event.code === `Key${name.toUpperCase()}`;
  return event.key === name;
}

/** Is the person writing? Then single letters are text, not commands. */
export function isWriting(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.tagName === "TEXTAREA" || target.tagName === "SELECT") return true;
  return (
    target instanceof HTMLInputElement &&
    !["checkbox", "radio", "button", "submit", "range"].includes(target.type)
  );
}

/** "mod+Enter" → ["⌘", "↵"]; "G J" → ["G", "J"]. */
export function keyCaps(keys: string): string[] {
  const names: Record<string, string> = {
    mod: isMac ? "⌘" : "Ctrl",
    shift: "⇧",
    Enter: "↵",
    Escape: "Esc",
    ArrowUp: "↑",
    ArrowDown: "↓",
    ArrowLeft: "←",
    ArrowRight: "→",
  };
  return keys.split(/[ +](?=.)/).map((name) => names[name] ?? name);
}
