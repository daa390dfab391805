/** A run's state: icon and word, colour besides. */
import { IconCircleCheck, IconCircleX, IconClock, IconPlayerPlay, IconPlayerStop } from "@tabler/icons-react";
import { Chip, type Tone } from "@/shared/ui/Chip";
import type { RunState } from "./view";
import { useT } from "./words";

const LOOK: Record<RunState, readonly [Tone, typeof IconClock]> = {
  queued: ["plain", IconClock],
  running: ["attn", IconPlayerPlay],
  succeeded: ["delta", IconCircleCheck],
  failed: ["collapse", IconCircleX],
  cancelled: ["plain", IconPlayerStop],
};

export function StateChip({ state }: { state: RunState }) {
  const t = useT();
  const [tone, Icon] = LOOK[state];
  return (
    <Chip tone={tone} icon={<Icon size={14} aria-hidden />}>
      {t(`state.${state}`)}
    </Chip>
  );
}
