/** The Create page: prompt and knobs left, both answers right. */

/** `run`: a run whose recipe, prompt and answers are opened. */
export default function CreatePage({ run: _run }: { run: string | null }) {
  return null;
}
