/** What can be done with a run. A failure is shown beneath the buttons. */
import {
  IconAdjustmentsHorizontal,
  IconPinned,
  IconPlayerStop,
  IconRepeat,
  IconSchool,
} from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import { isTerminal } from "@/api/events";
import { cancelRun } from "@/api/runs";
import type { Run } from "@/api/types";
import { Button } from "@/shared/ui/Button";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import type { ChangeView } from "../view";
import { useT } from "../words";
import classes from "./Actions.module.css";

type Props = { run: Run; base: string | undefined; onView: ChangeView; onOpen: (run: Run) => void };

export function Actions({ run, base, onView, onOpen }: Props) {
  const t = useT();
  const queries = useQueryClient();
  const again = useMutation({
    mutationFn: () => body(api.POST("/api/runs/{id}/again", { params: { path: { id: run.id } } })),
    onSuccess: (made) => onView({ run: made.id, base: run.id }), // the two are compared as soon as both have answered
  });
  const cancel = useMutation({
    mutationFn: () => cancelRun(run.id),
    onSuccess: (now) => queries.setQueryData(["run", run.id], now),
  });
  const pinned = base === run.id;
  const trains = run.kind === "train" || run.kind === "learn";
  const icon = { size: 17, stroke: 1.8, "aria-hidden": true } as const;
  return (
    <div className={classes.all}>
      <div className={classes.actions}>
        {run.kind === "probe" ? null : (
          <Button kind="primary" onClick={() => onOpen(run)}>
            {trains ? <IconSchool {...icon} /> : <IconAdjustmentsHorizontal {...icon} />}
            {t(trains ? "detail.open_train" : "detail.open")}
          </Button>
        )}
        {!isTerminal(run.state) ? (
          <Button kind="danger" busy={cancel.isPending} onClick={() => cancel.mutate()}>
            <IconPlayerStop {...icon} />
            {t("detail.cancel")}
          </Button>
        ) : run.kind === "generate" ? (
          <Button busy={again.isPending} onClick={() => again.mutate()}>
            <IconRepeat {...icon} />
            {t("detail.again")}
          </Button>
        ) : null}
        {run.kind === "generate" ? (
          <Button aria-pressed={pinned} onClick={() => onView({ base: pinned ? undefined : run.id })}>
            <IconPinned {...icon} />
            {t(pinned ? "detail.unpin" : "detail.pin")}
          </Button>
        ) : null}
      </div>
      {again.error ? <ErrorNote error={again.error} /> : null}
      {cancel.error ? <ErrorNote error={cancel.error} /> : null}
    </div>
  );
}
