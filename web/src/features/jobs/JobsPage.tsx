/** Every run there was. */
export type JobsView = { q?: string; state?: string; run?: string; base?: string };

export default function JobsPage(_: {
  view: JobsView;
  onView: (change: JobsView, replace?: boolean) => void;
  onOpen: (run: string) => void;
  onCreate: () => void;
}) {
  return null;
}
