/** Hands something to the browser's downloads. */
export function saveAs(name: string, what: Blob | string): void {
  const url = typeof what === "string" ? what : URL.createObjectURL(what);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  if (typeof what !== "string") URL.revokeObjectURL(url);
}
